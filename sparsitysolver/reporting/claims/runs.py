"""Claims about runs: what searches reach, how soon and how steadily, and what the strategies they find look like."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, TypeVar

import pandas as pd

from sparsitysolver.config.registry import MethodKey
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.measures import MEASURES
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import Judgement, Kind, NotJudgedError, Run, over_runs
from sparsitysolver.reporting.compare.verdicts import Verdict

T = TypeVar("T")
# By what a run is: the file it stands in, and the column that has each value once.
_FILES = {"search": ("curves", "episode"), "strategy": ("strategies", "unit")}


class Runs(Kind):
    """A measure of every run is above zero, or above that of another method's run of the same model and seed.

    Attributes:
        measure: a function of :mod:`~sparsitysolver.reporting.claims.measures`.
        method: whose runs.
        than: the method that its runs are measured against.
        sparsity: target sparsity; needed where a method has several.
        of: episodes that a run needs to be comparable.
        share, within, by, after, at, outer: see the measures.
    """

    measures: ClassVar = {name: measure.function for name, measure in MEASURES.items()}
    own: ClassVar = ("method", "sparsity", "of")
    kind: Literal["runs"] = "runs"
    method: MethodKey
    than: MethodKey | None = None
    sparsity: float | None = None
    of: int | None = None
    share: float | None = None
    within: float | None = None
    by: int | None = None
    after: int | None = None
    at: tuple[int, int, int] | None = None
    outer: Literal["both", "front", "back"] | None = None

    def verdict_on(self, results: Results) -> Judgement:
        """One verdict over all runs that may be measured."""
        measure = MEASURES[self.measure]
        found = runs_of(results, measure.of, [self.method, *filter(None, [self.than])], self.sparsity)
        long = {run: frames for run, frames in found.items() if len(frames[0]) >= (self.of or 0)}
        if found and not long:
            longest = max(len(frames[0]) for frames in found.values())
            note = f"runs of up to {longest} episodes; the claim is about {self.of}"
            raise NotJudgedError(Verdict.NOT_COMPARABLE, note)
        effects = of_each(long, lambda *frames: measure.function(*frames, **self.arguments))
        known = {run: effect for run, effect in effects.items() if effect is not None}
        if not known:
            lacking = no_runs(measure.of, self.method, self.than, self.sparsity)
            raise NotJudgedError(Verdict.NOT_RUN, f"{lacking}{measure.tail}")
        return over_runs(known, measure.unit)


def no_runs(what: str, method: str, than: str | None = None, sparsity: float | None = None) -> str:
    """Words on runs that are not there."""
    beside = f" beside one of {than}" if than else ""
    at = f" at sparsity {sparsity:g}" if than and sparsity and what == "search" else ""
    return f"no {what} of {method}{beside}{at}"


def of_each(runs: Mapping[Run, tuple[pd.DataFrame, ...]], measure: Callable[..., T]) -> dict[Run, T]:
    """What a function makes of each run; those that it refuses are left out.

    Raises:
        NotJudgedError: it refuses all of them.
    """
    made, refused = {}, []
    for run, frames in runs.items():
        try:
            made[run] = measure(*frames)
        except NotJudgedError as reason:
            refused.append(str(reason))
    if refused and not made:
        raise NotJudgedError(Verdict.NOT_COMPARABLE, "; ".join(dict.fromkeys(refused)))
    return made


def runs_of(
    results: Results, what: str, methods: list[str], sparsity: float | None
) -> dict[Run, tuple[pd.DataFrame, ...]]:
    """The runs that some methods share, by model and seed: a frame of each method's, in order.

    Searches are those on the text's perplexity, episode by episode; strategies not those of single tasks, unit by unit.

    Raises:
        SparsitySolverError: two runs of one method, model and seed.
    """
    of_methods = [_runs(results, what, method, sparsity) for method in methods]
    shared = [run for run in of_methods[0] if all(run in runs for runs in of_methods)]
    return {run: tuple(runs[run] for runs in of_methods) for run in shared}


def _runs(results: Results, what: str, method: str, sparsity: float | None) -> dict[Run, pd.DataFrame]:
    file, once = _FILES[what]
    frame = getattr(results, file)
    if frame is None:
        return {}
    chosen = of_sparsity(frame, sparsity)
    chosen = chosen[(chosen["method"] == method) & (chosen["task"] == "")]
    found = {}
    for (model, seed), run in chosen.groupby(["model", "seed"], sort=False):
        if run[once].duplicated().any():
            several = {"search": "searches", "strategy": "strategies"}[what]
            sparsities = ", ".join(f"{value:g}" for value in sorted(set(run["sparsity"])))
            raise SparsitySolverError(
                f"{file}.csv holds several {several} of {method} on {model}, seed {seed:g} (sparsity {sparsities}); "
                f"a claim needs one: name its sparsity, or collect the {file} again."
            )
        found[model, int(seed)] = run.sort_values(once).reset_index(drop=True)
    return found
