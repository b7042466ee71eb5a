"""For any claim results for which it holds, and results for which it fails: the least that its predicate looks at."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from result_factory import climb, curve, speed, strategy, study

from sparsitysolver.config.registry import metric_of, models_table
from sparsitysolver.config.tables import TASKS, load_definition
from sparsitysolver.reporting.claims.commands import compared_methods
from sparsitysolver.reporting.claims.definition import Claim
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.collected.collect import COLUMNS, NUMBERS

OBSERVATIONS = 40  # windows or items behind every cell
_NOTHING = {name: float("nan") if name in NUMBERS else "" for name in COLUMNS}  # as an empty line of cells.csv reads
ONE_BY_FAMILY = {"opt": "opt-125m", "llama": "llama-7b", "mistral": "mistral-7b"}


def results_for(claim: Claim, holds: bool, **changes: object) -> Results:
    """Results of one model of the paper on which a claim holds or fails; ``changes`` say how, besides (``unequal``)."""
    model = (claim.models or [ONE_BY_FAMILY[(claim.families or ("llama",))[0]]])[0]
    good = holds != claim.negated
    frames = _KINDS[claim.kind](claim, model, good, **changes)
    families = {key: row.family for key, row in models_table().items()}
    return Results("paper", (model,), families, **frames)


def _numbers(frame: pd.DataFrame, *texts: str) -> pd.DataFrame:
    """A frame as it is read from a file: numbers, and NaN where one is empty."""
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in frame if name not in texts})


def cells(claim: Claim, model: str, values: Mapping[str, float], removed: Mapping[str, float] | None = None) -> dict:
    """Cells of a claim's table in all its columns, the same number for a method in each, with samples."""
    definition = load_definition(claim.arguments["table"])
    of_tasks = definition.layout == TASKS
    tasks = definition.published_tasks if of_tasks else ["wikitext2"]
    rows, samples = [], {}
    for sparsity in claim.arguments.get("sparsities") or definition.sparsities:
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
    of_tasks = load_definition(claim.arguments["table"]).layout == TASKS
    better, middle, worse = (0.7, 0.6, 0.5) if of_tasks else (8.0, 10.0, 12.0)
    values = {own: better if good else worse} | dict.fromkeys(rivals, middle)
    return cells(claim, model, values, {own: 0.15} if unequal else None)


def _smaller(claim: Claim, model: str, good: bool) -> dict:
    own, other = claim.arguments["method"], claim.arguments["than"]
    frames = cells(claim, model, {own: 10.0, other: 10.0})
    sizes = {own: 8e8 if good else 1e9, other: 9e8}
    return frames | {"cells": frames["cells"].assign(parameters=frames["cells"]["method"].map(sizes))}


def _cells_in_range(claim: Claim, model: str, good: bool) -> dict:
    frames = cells(claim, model, {claim.arguments["method"]: 10.0})
    return frames | {"cells": frames["cells"].assign(**{claim.arguments["quantity"]: _number(claim, good)})}


def _number(claim: Claim, good: bool) -> float:
    """A number within the range of a claim, or outside."""
    low, high = (claim.arguments.get(end) for end in ("low", "high"))
    if good:
        return float(low if high is None else high if low is None else (low + high) / 2)
    return float(low - 1 if high is None else 2 * high + 1)


def _curves(claim: Claim, model: str, **runs: Sequence[float]) -> dict:
    """Searches with these rewards of the claim's ``method`` and, where it names another, ``than``."""
    sparsity = claim.arguments.get("sparsity", 0.2)
    frames = [curve(claim.arguments[name], rewards, model, sparsity=sparsity) for name, rewards in runs.items()]
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
    frame = curve(claim.arguments["method"], [1.0] * 300, model, sparsity=claim.arguments["sparsity"], kept=kept)
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
    arguments = claim.arguments
    hump = [[0.6, 0.6], [0.9, 0.9], [0.6, 0.6]] if good else [[0.9, 0.9], [0.6, 0.6], [0.9, 0.9]]
    wide, narrow = [[0.1, 0.9]] * 3, [[0.4, 0.6]] * 3
    ratios = hump if "than" not in arguments else wide if good else narrow
    parts = [strategy(arguments["method"], ratios, model, sparsity=arguments["sparsity"])]
    if "than" in arguments:
        parts.append(strategy(arguments["than"], narrow if good else wide, model, sparsity=arguments["sparsity"]))
    texts = ("model", "family", "method", "label", "granularity", "algorithm", "task", "name", "kind", "key")
    return {"strategies": _numbers(pd.concat(parts), *texts)}


def _timed(claim: Claim, model: str, good: bool, unequal: bool = False) -> dict:
    fast, slow = (1.5, 1.45, 1.55), (0.8, 0.75, 0.85)
    parts = [speed("dense", 1, 1, 1, model), speed(claim.arguments["method"], *(fast if good else slow), model)]
    if "than" in claim.arguments:
        parts.append(speed(claim.arguments["than"], 1.1, 1.05, 1.15, model))
    sizes = [10, 8, 9 if unequal else 8]
    parts = [part.assign(parameters=size) for part, size in zip(parts, sizes)]  # noqa: B905 - claims name one or two
    return {"inference": _numbers(pd.concat(parts), "model", "method", "label", "device", "dtype")}


def _monotone(claim: Claim, model: str, good: bool) -> dict:
    modules = claim.arguments.get("modules", "mha")
    if claim.arguments["x"] == "samples":
        parts = [study({1: 30.0, 8: 28.0, 32: 27.0} if good else {1: 30.0, 8: 28.0, 32: 31.0}, modules, model=model)]
    else:
        times = (1.0, 2.0) if good else (2.0, 1.0)
        parts = [
            study({32: 20.0}, modules, model=model, sparsity=sparsity, seconds_per_module=seconds)
            for sparsity, seconds in zip((0.1, 0.2), times, strict=True)
        ]
    return {"reconstruction": _numbers(pd.concat(parts), "model", "modules")}


def _reconstruction_time(claim: Claim, model: str, good: bool) -> dict:
    arguments, gpus = claim.arguments, 2
    seconds = _number(claim, good) * (3600 / gpus if arguments["quantity"] == "gpu_hours" else 1)
    fields = {"model": model, "sparsity": arguments["sparsity"], "seconds_per_module": seconds, "gpus": gpus}
    return {
        "reconstruction": _numbers(
            study({arguments["samples"]: 20.0}, arguments["modules"], **fields), "model", "modules"
        )
    }


_KINDS: dict[str, Callable[..., dict]] = {
    "better": _compared,
    "best_of": _compared,
    "fewer_parameters": _smaller,
    "cells_in_range": _cells_in_range,
    "curve_better": _better_curve,
    "converges": _converging,
    "episodes_to": _converging,
    "faster": _sooner,
    "oscillates": _swinging,
    "rises": _rising,
    "overlap": _overlapping,
    "rewards_in_range": _final_reward,
    "reaches_best_of": _reused,
    "sooner_at_best_of": _reused,
    "gpu_hours_to_best_of": _reused,
    "more_in_middle": _strategies,
    "more_varied": _strategies,
    "faster_inference": _timed,
    "monotone": _monotone,
    "reconstruction_in_range": _reconstruction_time,
}
