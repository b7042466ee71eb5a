"""For any claim results for which it holds, and results for which it fails: the least that its test looks at."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from result_factory import climb, curve, speed, strategy, study

from sparsitysolver.config.registry import metric_of, models_table
from sparsitysolver.config.tables import TASKS, load_definition
from sparsitysolver.records.columns import CELLS
from sparsitysolver.reporting.claims.definition import Claim
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.table import compared_methods

OBSERVATIONS = 40  # windows or items behind every cell
_NOTHING = dict.fromkeys(CELLS.columns, "") | dict.fromkeys(CELLS.numbers, float("nan"))  # an empty line, as it is read
ONE_BY_FAMILY = {"opt": "opt-125m", "llama": "llama-7b", "mistral": "mistral-7b"}


def results_for(claim: Claim, holds: bool, **changes: object) -> Results:
    """Results of one model of the paper on which a claim holds or fails; ``changes`` say how, besides (``unequal``)."""
    model = (claim.models or [ONE_BY_FAMILY[(claim.families or ("llama",))[0]]])[0]
    good = holds != claim.negated
    frames = _MEASURES[claim.test.measure](claim, model, good, **changes)
    families = {key: row.family for key, row in models_table().items()}
    return Results("paper", (model,), families, **frames)


def _numbers(frame: pd.DataFrame, *texts: str) -> pd.DataFrame:
    """A frame as it is read from a file: numbers, and NaN where one is empty."""
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in frame if name not in texts})


def cells(claim: Claim, model: str, values: Mapping[str, float], removed: Mapping[str, float] | None = None) -> dict:
    """Cells of a claim's table in all its columns, the same number for a method in each, with samples."""
    definition = load_definition(claim.test.table)
    of_tasks = definition.layout == TASKS
    tasks = definition.published_tasks if of_tasks else ["wikitext2"]
    rows, samples = [], {}
    for sparsity in getattr(claim.test, "sparsities", None) or definition.sparsities:
        for task in tasks:
            metric = metric_of(task)
            for number, (method, value) in enumerate(values.items()):
                key = f"{method}-{task}-{sparsity}"
                achieved = (removed or {}).get(method, sparsity)
                rows.append(
                    _NOTHING
                    | {"model": model, "method": method, "task": task, "split": definition.split, "status": "ok"}
                    | {"metric": metric, "value": value, "sparsity": sparsity, "seed": 0.0, "cell": key, "reason": ""}
                    | {"achieved_sparsity": achieved, "parameters": 1e9, "extra_parameters": 0.0}
                    | {"seqlen": 2048.0, "items": float(OBSERVATIONS)}
                )
                spread = 0.01 * np.random.default_rng(number).standard_normal(OBSERVATIONS)
                mean = np.log(value) if metric == "ppl" else value
                samples[f"{key}/{metric}"] = mean + spread - spread.mean()
    return {"cells": pd.DataFrame(rows), "samples": samples}


def _compared(claim: Claim, model: str, good: bool, unequal: bool = False) -> dict:
    """The method first of all its rivals, or last; unequal: it removed five points less than they."""
    own, *rivals = compared_methods(claim)
    of_tasks = load_definition(claim.test.table).layout == TASKS
    better, middle, worse = (0.7, 0.6, 0.5) if of_tasks else (8.0, 10.0, 12.0)
    values = {own: better if good else worse} | dict.fromkeys(rivals, middle)
    return cells(claim, model, values, {own: 0.15} if unequal else None)


def _smaller(claim: Claim, model: str, good: bool) -> dict:
    own, (other,) = claim.test.method, claim.test.than
    frames = cells(claim, model, {own: 10.0, other: 10.0})
    sizes = {own: 8e8 if good else 1e9, other: 9e8}
    return frames | {"cells": frames["cells"].assign(parameters=frames["cells"]["method"].map(sizes))}


def _cells_in_range(claim: Claim, model: str, good: bool) -> dict:
    frames = cells(claim, model, {claim.test.method: 10.0})
    return frames | {"cells": frames["cells"].assign(**{claim.test.measure: _number(claim, good)})}


def _number(claim: Claim, good: bool) -> float:
    """A number within the range of a claim, or outside."""
    low, high = claim.test.low, claim.test.high
    if good:
        return float(low if math.isinf(high) else high if math.isinf(low) else (low + high) / 2)
    return float(low - 1 if math.isinf(high) else 2 * high + 1)


def _curves(claim: Claim, model: str, **runs: Sequence[float]) -> dict:
    """Searches with these rewards of the claim's ``method`` and, where it names another, ``than``."""
    sparsity = claim.test.sparsity or 0.2
    frames = [curve(getattr(claim.test, name), rewards, model, sparsity=sparsity) for name, rewards in runs.items()]
    texts = ("key", "model", "family", "method", "label", "granularity", "algorithm", "task", "warm_start", "kept")
    return {"curves": _numbers(pd.concat(frames, ignore_index=True), *texts)}


def _better_curve(claim: Claim, model: str, good: bool) -> dict:
    high, low = climb(0.2, 1.0, 50, 300), climb(0.2, 0.8, 50, 300)
    return _curves(claim, model, method=high if good else low, than=low if good else high)


def _converging(claim: Claim, model: str, good: bool) -> dict:
    return _curves(claim, model, method=climb(0.2, 1.0, 900 if good else 2900, 3000))


def _sooner(claim: Claim, model: str, good: bool) -> dict:
    soon, late = climb(0.2, 1.0, 60, 300), climb(0.2, 1.0, 290, 300)
    return _curves(claim, model, method=soon if good else late, than=late if good else soon)


def _swinging(claim: Claim, model: str, good: bool) -> dict:
    wild, calm = [0.5, 1.0] * 60, [0.9, 1.0] * 60
    return _curves(claim, model, method=wild if good else calm, than=calm if good else wild)


def _rising(claim: Claim, model: str, good: bool) -> dict:
    rewards = np.linspace(0.2, 1.0, 3000)
    return _curves(claim, model, method=(rewards if good else rewards[::-1]).tolist())


def _overlapping(claim: Claim, model: str, good: bool) -> dict:
    """The strategy moves in the first two thirds of a search, or in the last."""
    kept = [[min(90, episode)] if good else [max(10, episode - 210)] for episode in range(300)]
    frame = curve(claim.test.method, [1.0] * 300, model, sparsity=claim.test.sparsity, kept=kept)
    return {"curves": _numbers(frame, "key", "model", "family", "method", "task", "kept")}


def _final_reward(claim: Claim, model: str, good: bool) -> dict:
    return _curves(claim, model, method=climb(0.1, _number(claim, good), 100, 300))


def _reused(claim: Claim, model: str, good: bool) -> dict:
    """Good after 100 episodes of a second, or after 290 of a minute; the search from scratch after 250 of 600."""
    rewards = climb(0.2, 1.0, 100 if good else 290, 300)
    frames = _curves(claim, model, method=rewards, than=climb(0.2, 1.0, 250, 600))
    return {"curves": frames["curves"].assign(gpus=2, seconds=1.0 if good else 60.0)}


def _strategies(claim: Claim, model: str, good: bool) -> dict:
    """Ratios that are greatest in the middle, or smallest; and ratios of a layer that differ much, or little."""
    test = claim.test
    hump = [[0.6, 0.6], [0.9, 0.9], [0.6, 0.6]] if good else [[0.9, 0.9], [0.6, 0.6], [0.9, 0.9]]
    wide, narrow = [[0.1, 0.9]] * 3, [[0.4, 0.6]] * 3
    ratios = hump if test.than is None else wide if good else narrow
    parts = [strategy(test.method, ratios, model, sparsity=test.sparsity)]
    if test.than:
        parts.append(strategy(test.than, narrow if good else wide, model, sparsity=test.sparsity))
    texts = ("model", "family", "method", "label", "granularity", "algorithm", "task", "name", "kind", "key")
    return {"strategies": _numbers(pd.concat(parts), *texts)}


def _timed(claim: Claim, model: str, good: bool, unequal: bool = False) -> dict:
    fast, slow = (1.5, 1.45, 1.55), (0.8, 0.75, 0.85)
    parts = [speed("dense", 1, 1, 1, model), speed(claim.test.method, *(fast if good else slow), model)]
    if claim.test.than != ("dense",):
        parts.append(speed(claim.test.than[0], 1.1, 1.05, 1.15, model))
    sizes = [10, 8, 9 if unequal else 8]
    parts = [part.assign(parameters=size) for part, size in zip(parts, sizes)]  # noqa: B905 - claims name one or two
    return {"inference": _numbers(pd.concat(parts), "model", "method", "label", "device", "dtype")}


def _monotone(claim: Claim, model: str, good: bool) -> dict:
    modules = claim.test.modules or "mha"
    if claim.test.along == "samples":
        parts = [study({1: 30.0, 8: 28.0, 32: 27.0} if good else {1: 30.0, 8: 28.0, 32: 31.0}, modules, model=model)]
    else:
        times = (1.0, 2.0) if good else (2.0, 1.0)
        parts = [
            study({32: 20.0}, modules, model=model, sparsity=sparsity, seconds_per_module=seconds)
            for sparsity, seconds in zip((0.1, 0.2), times, strict=True)
        ]
    return {"reconstruction": _numbers(pd.concat(parts), "model", "modules")}


def _reconstruction_time(claim: Claim, model: str, good: bool) -> dict:
    test, gpus = claim.test, 2
    seconds = _number(claim, good) * (3600 / gpus if test.measure == "hours_per_module" else 1)
    fields = {"model": model, "sparsity": test.sparsity, "seconds_per_module": seconds, "gpus": gpus}
    return {"reconstruction": _numbers(study({test.samples: 20.0}, test.modules, **fields), "model", "modules")}


def _size(claim: Claim, model: str, good: bool) -> dict:
    return (_smaller if claim.test.kind == "paired" else _cells_in_range)(claim, model, good)


def _seconds(claim: Claim, model: str, good: bool) -> dict:
    return (_monotone if claim.test.kind == "monotone" else _reconstruction_time)(claim, model, good)


_MEASURES: dict[str, Callable[..., dict]] = {
    "quality": _compared,
    "parameters": _size,
    "extra_parameters": _cells_in_range,
    "achieved_sparsity": _cells_in_range,
    "best_reward": _better_curve,
    "late_reward": _better_curve,
    "converged": _converging,
    "converged_by": _converging,
    "sooner": _sooner,
    "late_swing": _swinging,
    "rise": _rising,
    "overlap": _overlapping,
    "final_reward": _final_reward,
    "good_by": _reused,
    "good_sooner": _reused,
    "hours_until_good": _reused,
    "middle": _strategies,
    "variety": _strategies,
    "prefill": _timed,
    "decode": _timed,
    "ppl": _monotone,
    "seconds_per_module": _seconds,
    "hours_per_module": _reconstruction_time,
}
