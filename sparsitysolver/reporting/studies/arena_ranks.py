"""Which search is better at one budget: ranks over seeds, and paired tests against a reference (no torch).

Searches of one seed share calibration, reward windows and test windows, so their losses are compared in pairs; and only
those that removed the same are compared at all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import stats

from sparsitysolver.config.arena import ArenaDefinition
from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.compare.comparability import Removed, unequal
from sparsitysolver.reporting.compare.intervals import holm, paired_t
from sparsitysolver.reporting.compare.verdicts import in_unit

RAN, LINE = "ran", "no search"
KINDS = (("searches", "entrants", RAN), ("lines", "lines", LINE))  # of entries: in records, in the definition, status
AXES = ("model", "granularity", "sparsity")


def place(study: Json) -> Json:
    """The axes of a record's problem, and its seed."""
    return {"model": study["model"]["name"]} | {name: study[name] for name in ("granularity", "sparsity", "seed")}


def problems(studies: Sequence[Json]) -> dict[tuple[Any, ...], list[Json]]:
    """The records of every problem, a seed each."""
    found = defaultdict(list)
    for study in studies:
        found[tuple(place(study)[axis] for axis in AXES)].append(study)
    return dict(found)


def ranks(studies: Sequence[Json], arena: ArenaDefinition) -> list[Json]:
    """A row per search (and allocation without one) of every problem, best mean test perplexity first.

    ``rank`` is the mean over seeds among the searches, 1 the best. ``difference`` is the geometric mean over seeds and
    windows of the perplexity over that of the reference, less one, in percent; ``low``, ``high`` and ``p`` are those of
    a paired t test over seeds (:mod:`~sparsitysolver.reporting.compare.intervals`), ``p_holm`` is corrected for all
    rows of a problem that are compared with the reference. What one seed alone cannot give stays empty.

    A search that removed something else than was asked has no rank, one that removed something else than the reference
    no difference; ``not_ranked`` and ``not_compared`` say so, with both figures.
    """
    rows = []
    for key, members in problems(studies).items():
        of_problem = [dict(zip(AXES, key, strict=True)) | row for row in _problem(members, arena)]
        tested = [row for row in of_problem if "p" in row]
        for row, corrected in zip(tested, holm(np.array([row["p"] for row in tested])), strict=True):
            row["p_holm"] = float(corrected)
        rows += sorted(of_problem, key=lambda row: row["test_ppl"] or np.inf)
    return rows


def _problem(studies: Sequence[Json], arena: ArenaDefinition) -> Iterator[Json]:
    searches = _runs(studies, "searches", arena.entrants)
    asked = [{"achieved_sparsity": study["sparsity"]} for study in studies]
    unranked = {name: _unequal(runs, asked) for name, runs in searches.items()}
    ppls = {name: [run["test_ppl"] or np.inf for run in searches[name]] for name in searches if not unranked[name]}
    mean_ranks = stats.rankdata([*ppls.values()], axis=0).mean(axis=1) if ppls else []  # a broken model comes last
    places, reference = dict(zip(ppls, map(float, mean_ranks), strict=True)), searches.get(arena.reference)
    for kind, known, status in KINDS:
        entries = getattr(arena, known)
        for name, runs in _runs(studies, kind, entries).items():
            row = {"algorithm": name, "label": entries[name].label, "status": status, "seeds": len(runs)}
            row |= _means(runs) | {"rank": places.get(name), "not_ranked": unranked.get(name)}
            if name != arena.reference and reference:
                row |= _against(runs, reference)
            yield row


def _runs(studies: Sequence[Json], kind: str, names: Collection[str]) -> dict[str, list[Json]]:
    """What every seed has of each entry, of those that all seeds have."""
    found = [{one["algorithm"]: one for one in reversed(study[kind])} for study in studies]
    return {name: [of_seed[name] for of_seed in found] for name in names if all(name in of_seed for of_seed in found)}


def _unequal(runs: Sequence[Json], others: Sequence[Json]) -> str:
    """Why runs may not be compared, seed by seed: the first reason found; empty where all may.

    They are of one model's units, so that parameters say nothing more than sparsities.
    """
    pairs = [[Removed(one["achieved_sparsity"], None) for one in pair] for pair in zip(runs, others, strict=True)]
    return next((reason for pair in pairs if (reason := unequal(*pair))), "")


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
