"""Which search is better at one budget: ranks over seeds, and paired tests against a reference (no torch).

Searches of one seed share calibration, reward windows and test windows, so their losses are compared in pairs; and only
those that removed the same are compared at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from sparsitysolver.config.arena import ArenaDefinition
from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.compare.comparability import Removed, unequal
from sparsitysolver.reporting.compare.intervals import holm, paired_t
from sparsitysolver.reporting.compare.verdicts import in_unit

AXES = ("model", "granularity", "sparsity")


def ranks(studies: Sequence[Json], arena: ArenaDefinition) -> list[Json]:
    """A row per search (and allocation without one) of every problem, best mean test perplexity first.

    ``rank`` is the mean over seeds among the searches, 1 the best. ``difference`` is the geometric mean over seeds and
    windows of the perplexity over that of the reference, less one, in percent; ``low``, ``high`` and ``p`` are those of
    a paired t test over seeds (:mod:`~sparsitysolver.reporting.compare.intervals`), ``p_holm`` is corrected for all
    rows of a problem that are compared with the reference. What one seed alone cannot give stays empty.

    A search that removed something else than was asked has no rank, one that removed something else than the reference
    no difference; ``not_ranked`` and ``not_compared`` say so, with both figures.
    """
    problems: dict[tuple[Any, ...], list[Json]] = {}
    for study in studies:
        key = (study["model"]["name"], study["granularity"], study["sparsity"])
        problems.setdefault(key, []).append(study)
    rows = []
    for key, members in problems.items():
        of_problem = [dict(zip(AXES, key, strict=True)) | row for row in _problem(members, arena)]
        _adjust(of_problem)
        rows += sorted(of_problem, key=lambda row: _or_infinite(row["test_ppl"]))
    return rows


def _problem(studies: Sequence[Json], arena: ArenaDefinition) -> Iterator[Json]:
    by_name = {
        kind: {
            name: [next((one for one in study[kind] if one["algorithm"] == name), None) for study in studies]
            for name in getattr(arena, known)
        }
        for kind, known in (("searches", "entrants"), ("lines", "lines"))
    }
    asked = [{"achieved_sparsity": study["sparsity"]} for study in studies]
    searches = {name: runs for name, runs in by_name["searches"].items() if None not in runs}
    unranked = {name: _unequal(runs, asked) for name, runs in searches.items()}
    places = _places({name: runs for name, runs in searches.items() if not unranked[name]})
    reference = searches.get(arena.reference)
    for kind, known, status in (("searches", "entrants", "ran"), ("lines", "lines", "no search")):
        for name, runs in by_name[kind].items():
            if None in runs:
                continue
            row = {"algorithm": name, "label": getattr(arena, known)[name].label, "status": status, "seeds": len(runs)}
            row |= _means(runs) | {"rank": places.get(name), "not_ranked": unranked.get(name)}
            if name != arena.reference and reference:
                row |= _against(runs, reference)
            yield row


def _unequal(runs: Sequence[Json], others: Sequence[Json]) -> str:
    """Why runs may not be compared, seed by seed: the first reason found; empty where all may.

    They are of one model's units, so that parameters say nothing more than sparsities.
    """
    pairs = [[Removed(one["achieved_sparsity"], None) for one in pair] for pair in zip(runs, others, strict=True)]
    return next((reason for pair in pairs if (reason := unequal(*pair))), "")


def _places(searches: Mapping[str, Sequence[Json]]) -> dict[str, float]:
    """Mean rank over seeds of the searches; a broken model comes last."""
    if not searches:
        return {}
    ppls = [[_or_infinite(run["test_ppl"]) for run in runs] for runs in searches.values()]
    return dict(zip(searches, map(float, stats.rankdata(ppls, axis=0).mean(axis=1)), strict=True))


def _means(runs: Sequence[Json]) -> Json:
    """Means over seeds; of perplexities the geometric mean, and their standard deviation."""
    row: Json = {}
    for name in ("validation_ppl", "test_ppl"):
        values = [run[name] for run in runs]
        row[name] = None if None in values else float(np.exp(np.mean(np.log(values))))
    if row["test_ppl"] is not None and len(runs) > 1:
        row["test_spread"] = float(np.std([run["test_ppl"] for run in runs], ddof=1))
    for name in ("evaluations", "tokens", "seconds_per_proposal", "achieved_sparsity"):
        if name in runs[0]:
            row[name] = float(np.mean([run[name] for run in runs]))
    return row


def _against(runs: Sequence[Json], reference: Sequence[Json]) -> Json:
    """Difference from the reference with interval and p; empty where a model is broken or of another sparsity."""
    if reason := _unequal(runs, reference):
        return {"not_compared": reason}
    losses = [[one["test_losses"] for one in each] for each in (runs, reference)]
    if not all(map(len, losses[0] + losses[1])):
        return {}
    test = paired_t((np.array(losses[0]) - np.array(losses[1])).mean(axis=1))
    tested = {"difference": test.mean, "low": test.low, "high": test.high}
    row = {name: in_unit(value, PERPLEXITY_METRIC) for name, value in tested.items() if np.isfinite(value)}
    return row | ({"p": float(test.p)} if np.isfinite(test.p) else {})


def _adjust(rows: Sequence[Json]) -> None:
    """Holm's correction over all that is compared with the reference of a problem."""
    tested = [row for row in rows if "p" in row]
    for row, corrected in zip(tested, holm(np.array([row["p"] for row in tested])), strict=True):
        row["p_holm"] = float(corrected)


def _or_infinite(value: float | None) -> float:
    return np.inf if value is None else value
