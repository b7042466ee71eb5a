"""Claims about runs: what searches reach, how soon and how steadily, and what the strategies they find look like."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import MethodKey
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.measures import MEASURES, Measure
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import Judgement, Kind, NotJudgedError, each_once, number
from sparsitysolver.reporting.compare.intervals import mean_interval
from sparsitysolver.reporting.compare.verdicts import Verdict, above_zero

Run = tuple[str, int]  # model, seed
# By what a run is: several of them, the file they stand in, and the column that has each value once.
_FILES = {"search": ("searches", "curves", "episode"), "strategy": ("strategies", "strategies", "unit")}


class Runs(Kind):
    """A measure of every run is above zero, or above that of another method's run of the same model and seed.

    Parameters that are not explained here are those of :mod:`~sparsitysolver.reporting.claims.measures`.
    """

    measures: ClassVar = {name: measure.function for name, measure in MEASURES.items()}
    own: ClassVar = ("method", "sparsity", "of")
    kind: Literal["runs"] = "runs"
    method: MethodKey  # whose runs
    than: MethodKey | None = None  # what they are measured against
    sparsity: float | None = None  # needed where a method has several
    of: int | None = None  # episodes that a run needs to be comparable
    share: float | None = None
    within: float | None = None
    by: int | None = None
    after: int | None = None
    at: tuple[int, int, int] | None = None
    outer: Literal["both", "front", "back"] | None = None

    def verdict_on(self, results: Results) -> Judgement:
        """One verdict over all runs that may be measured."""
        measure = MEASURES[self.measure]
        effects = measured(results, measure, self.method, self.than, self.sparsity, self.of or 0, self.arguments)
        return over_runs(effects, measure.unit)


def over_runs(effects: Mapping[Run, float], unit: str) -> Judgement:
    """One verdict over runs, one or more, by the interval of their mean."""
    values, models = list(effects.values()), each_once(model for model, _ in effects)
    effect, (low, high) = float(np.mean(values)), mean_interval(values)
    found = (above_zero(effect, low, high), effect, low, high, unit, len(values), models)
    if len(values) == 1:
        return Judgement(*found, note="a single run, so no interval: the sign decides")
    seeds = sorted({seed for _, seed in effects})
    of_seeds = f"seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else "one seed each"
    return Judgement(*found, interval=f"{len(values)} runs: {number(len(models), 'model')}, {of_seeds}")


def measured(
    results: Results,
    measure: Measure,
    method: str,
    than: str | None = None,
    sparsity: float | None = None,
    least: int = 0,
    arguments: Mapping[str, Any] | None = None,
) -> dict[Run, Any]:
    """What a measure makes of every run of a method, or of it and that of another one; some runs, or an error.

    Runs of fewer than ``least`` episodes are left out, and those that the measure refuses.

    Raises:
        NotJudgedError: there is no run, or none that may be measured.
    """
    runs = runs_of(results, measure.of, [method, than] if than else [method], sparsity)
    long = {run: frames for run, frames in runs.items() if len(frames[0]) >= least}
    if runs and not long:
        longest = max(len(frames[0]) for frames in runs.values())
        note = f"runs of up to {longest} episodes; the claim is about {least}"
        raise NotJudgedError(Verdict.NOT_COMPARABLE, note)
    made, refused = {}, []
    for run, frames in long.items():
        try:
            made[run] = measure.function(*frames, **(arguments or {}))
        except NotJudgedError as reason:
            refused.append(str(reason))
    if refused and not made:
        raise NotJudgedError(Verdict.NOT_COMPARABLE, "; ".join(dict.fromkeys(refused)))
    known = {run: value for run, value in made.items() if value is not None}
    if not known:
        beside = f" beside one of {than}" if than else ""
        at = f" at sparsity {sparsity:g}" if than and sparsity and measure.of == "search" else ""
        raise NotJudgedError(Verdict.NOT_RUN, f"no {measure.of} of {method}{beside}{at}{measure.lacking}")
    return known


def runs_of(
    results: Results, what: str, methods: list[str], sparsity: float | None
) -> dict[Run, tuple[pd.DataFrame, ...]]:
    """The runs that some methods share, by model and seed: a frame of each method's, in order.

    Searches are those on the text's perplexity, episode by episode; strategies not those of single tasks, unit by unit.

    Raises:
        SparsitySolverError: two runs of one method, model and seed.
    """
    several, file, once = _FILES[what]
    if getattr(results, file) is None:
        return {}
    frame, of_methods = of_sparsity(getattr(results, file), sparsity), []
    for method in methods:
        found = {}
        chosen = frame[(frame["method"] == method) & (frame["task"] == "")]
        for (model, seed), run in chosen.groupby(["model", "seed"], sort=False):
            if run[once].duplicated().any():
                sparsities = ", ".join(f"{value:g}" for value in sorted(set(run["sparsity"])))
                raise SparsitySolverError(
                    f"{file}.csv holds several {several} of {method} on {model}, seed {seed:g} (sparsity "
                    f"{sparsities}); a claim needs one: name its sparsity, or collect the {file} again."
                )
            found[model, int(seed)] = run.sort_values(once).reset_index(drop=True)
        of_methods.append(found)
    shared = [run for run in of_methods[0] if all(run in runs for runs in of_methods)]
    return {run: tuple(runs[run] for runs in of_methods) for run in shared}
