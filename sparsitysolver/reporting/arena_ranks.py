"""Which search is better at one budget: ranks over seeds, and paired tests against a reference (no torch).

Searches of one seed share calibration, reward windows and test windows, so their losses are compared in pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from sparsitysolver.records import Json
from sparsitysolver.reporting.paired import CONFIDENCE, RESAMPLES
from sparsitysolver.seeds import derive_seed

AXES = ("model", "granularity", "sparsity")
RANK_COLUMNS = (
    *("algorithm", "label", "status", *AXES, "seeds", "evaluations", "tokens", "validation_ppl", "test_ppl"),
    *("test_spread", "rank", "difference", "low", "high", "p", "p_holm", "seconds_per_proposal"),
)

_SAME = 1e-9  # nats: seeds closer than this differ by rounding only, and there is nothing to test


def ranks(studies: Sequence[Json], arena: Mapping[str, Any]) -> list[Json]:
    """A row per search (and allocation without one) of every problem, best mean test perplexity first.

    ``rank`` is the mean over seeds among the searches, 1 the best. ``difference`` is the geometric mean over seeds and
    windows of the perplexity over that of the reference, less one, in percent; its interval is a bootstrap over seeds
    and, within them, windows. ``p`` is a paired t-test over seeds, ``p_holm`` the same for all searches of a problem
    together. What one seed alone cannot give stays empty.
    """
    problems: dict[tuple[Any, ...], list[Json]] = {}
    for study in studies:
        key = (study["model"]["name"], study["granularity"], study["sparsity"])
        problems.setdefault(key, []).append(study)
    rows = []
    for key, members in problems.items():
        of_problem = [dict(zip(AXES, key, strict=True)) | row for row in _problem(key, members, arena)]
        _adjust(of_problem)
        rows += sorted(of_problem, key=lambda row: _or_infinite(row["test_ppl"]))
    return rows


def _problem(key: tuple[Any, ...], studies: Sequence[Json], arena: Mapping[str, Any]) -> Iterator[Json]:
    by_name = {
        kind: {
            name: [next((one for one in study[kind] if one["algorithm"] == name), None) for study in studies]
            for name in arena[known]
        }
        for kind, known in (("searches", "entrants"), ("lines", "lines"))
    }
    places = _places(by_name["searches"])
    reference = by_name["searches"].get(arena["reference"], [])
    for kind, known, status in (("searches", "entrants", "ran"), ("lines", "lines", "no search")):
        for name, runs in by_name[kind].items():
            if None in runs:
                continue
            row = {"algorithm": name, "label": arena[known][name]["label"], "status": status, "seeds": len(runs)}
            row |= _means(runs) | {"rank": places.get(name)}
            if name != arena["reference"] and None not in reference:
                row |= _against(runs, reference, derive_seed("arena bootstrap", *key, name))
            yield row


def _places(searches: Mapping[str, Sequence[Json | None]]) -> dict[str, float]:
    """Mean rank over seeds of the searches that ran with all of them; a broken model comes last."""
    ran = {name: [_or_infinite(run["test_ppl"]) for run in runs] for name, runs in searches.items() if None not in runs}
    placed = stats.rankdata(list(ran.values()), axis=0).mean(axis=1)
    return dict(zip(ran, map(float, placed), strict=True))


def _means(runs: Sequence[Json]) -> Json:
    """Means over seeds; of perplexities the geometric mean, and their standard deviation."""
    row: Json = {}
    for name in ("validation_ppl", "test_ppl"):
        values = [run[name] for run in runs]
        row[name] = None if None in values else float(np.exp(np.mean(np.log(values))))
    if row["test_ppl"] is not None and len(runs) > 1:
        row["test_spread"] = float(np.std([run["test_ppl"] for run in runs], ddof=1))
    for name in ("evaluations", "tokens", "seconds_per_proposal"):
        if name in runs[0]:
            row[name] = float(np.mean([run[name] for run in runs]))
    return row


def _against(runs: Sequence[Json], reference: Sequence[Json], seed: int) -> Json:
    """Difference from the reference with interval and p; empty where a model is broken."""
    losses = [[one["test_losses"] for one in each] for each in (runs, reference)]
    if not all(map(len, losses[0] + losses[1])):
        return {}
    differences = np.array(losses[0]) - np.array(losses[1])  # (seeds, windows)
    low, high = two_level_interval(differences, seed)
    row = {name: float(100 * np.expm1(value)) for name, value in (("low", low), ("high", high))}
    row["difference"] = float(100 * np.expm1(differences.mean()))
    of_seeds = differences.mean(axis=1)
    if len(of_seeds) > 1 and np.ptp(of_seeds) > _SAME:
        row["p"] = float(stats.ttest_1samp(of_seeds, 0).pvalue)
    return row


def two_level_interval(differences: np.ndarray, seed: int) -> tuple[float, float]:
    """Bootstrap interval of the mean of ``differences`` (seeds, windows): seeds drawn anew, and windows for all alike.

    Windows are the same for every seed, so one draw of them serves all seeds of a resample.
    """
    rng = np.random.default_rng(seed)
    seeds, windows = differences.shape
    means = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        rows, columns = rng.integers(seeds, size=seeds), rng.integers(windows, size=windows)
        means[index] = differences[np.ix_(rows, columns)].mean()
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _adjust(rows: Sequence[Json]) -> None:
    """Holm's correction over the searches of a problem."""
    tested = sorted((row for row in rows if row["status"] == "ran" and "p" in row), key=lambda row: row["p"])
    highest = 0.0
    for index, row in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - index) * row["p"]))
        row["p_holm"] = highest


def _or_infinite(value: float | None) -> float:
    return np.inf if value is None else value
