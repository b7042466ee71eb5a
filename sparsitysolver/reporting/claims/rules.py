"""From effects to a verdict: the stated rules by which every claim of the paper is judged.

An effect is oriented so that a positive one speaks for the claim. Three rules, by what was observed:

- *columns* (a model, a model at a sparsity, a task): each has an interval over paired windows or items, and seeds where
  there are several. Unless a claim says ``some`` or ``most``, it holds where every interval lies above zero, fails
  where any lies below, and is inside the noise otherwise. Models that removed different amounts are not compared.
- *runs* (searches and strategies, one per model and seed): one Student interval of their mean decides.
- *numbers* with an allowed range: all must lie within it.

Where there is no interval (no samples, a single run) the sign decides; the row then shows none.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np
from scipy import stats

from sparsitysolver.reporting.compare.comparability import UNEQUAL
from sparsitysolver.reporting.compare.intervals import CONFIDENCE

Run = tuple[str, int]  # model, seed
Quantifier = Literal["all", "some", "most"]


class ClaimVerdict(StrEnum):
    """What the results of a grid say about a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    NOISE = "inside the noise"
    UNEQUAL = UNEQUAL  # the models to compare removed different amounts
    NOT_COMPARABLE = "not comparable"  # on this grid
    NOT_RUN = "not run"


_OPPOSITE = {ClaimVerdict.HOLDS: ClaimVerdict.FAILS, ClaimVerdict.FAILS: ClaimVerdict.HOLDS}


@dataclass(frozen=True)
class Finding:
    """One effect in one column, positive in favour of the claim, with its interval where there is one."""

    column: str
    model: str
    effect: float
    low: float | None = None
    high: float | None = None
    n: int = 1

    @property
    def verdict(self) -> ClaimVerdict:
        """By the interval, or by the sign where there is none."""
        return of_interval(self.effect, self.low, self.high)


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim.

    Attributes:
        verdict: see the module's rules.
        effect, low, high: the mean effect and its interval; None where there is none.
        unit: of the three.
        n: windows, items, runs or numbers that the effect rests on.
        models: the models judged.
        note: what a reader must know besides, such as what was left out.
        interval: over what the interval was taken; empty where there is none.
    """

    verdict: ClaimVerdict
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    n: int = 0
    models: tuple[str, ...] = ()
    note: str = ""
    interval: str = ""


def not_run(note: str) -> Judgement:
    """Nothing to judge by."""
    return Judgement(ClaimVerdict.NOT_RUN, note=note)


def not_comparable(note: str) -> Judgement:
    """Results that say nothing about the claim."""
    return Judgement(ClaimVerdict.NOT_COMPARABLE, note=note)


def negated(judgement: Judgement) -> Judgement:
    """The judgement on the opposite claim: a positive effect then speaks for that one."""
    ends = [None if end is None else -end for end in (judgement.effect, judgement.high, judgement.low)]
    verdict = _OPPOSITE.get(judgement.verdict, judgement.verdict)
    return replace(judgement, verdict=verdict, effect=ends[0], low=ends[1], high=ends[2])


def of_interval(effect: float, low: float | None, high: float | None) -> ClaimVerdict:
    """Whether an effect is above zero, the interval considered where there is one."""
    if low is None or high is None:
        low = high = effect
    if low <= 0 <= high:
        return ClaimVerdict.NOISE
    return ClaimVerdict.HOLDS if low > 0 else ClaimVerdict.FAILS


def over_columns(findings: Sequence[Finding], quantifier: Quantifier) -> ClaimVerdict:
    """One verdict over columns; the findings of one column (several rivals) must all hold there.

    ``all``: fails where any column fails. ``some``: holds where any does, fails where all fail. ``most``: holds where
    more than half of the columns hold, fails where at least half fail.
    """
    columns = dict.fromkeys(finding.column for finding in findings)
    verdicts = [all_of([f.verdict for f in findings if f.column == column]) for column in columns]
    if quantifier == "all":
        return all_of(verdicts)
    holding, failing = verdicts.count(ClaimVerdict.HOLDS), verdicts.count(ClaimVerdict.FAILS)
    enough, too_many = (1, len(verdicts)) if quantifier == "some" else (len(verdicts) // 2 + 1, len(verdicts) / 2)
    if holding >= enough:
        return ClaimVerdict.HOLDS
    return ClaimVerdict.FAILS if failing >= too_many else ClaimVerdict.NOISE


def all_of(verdicts: Sequence[ClaimVerdict]) -> ClaimVerdict:
    """Fails where any fails, holds where all hold, and is inside the noise otherwise."""
    if ClaimVerdict.FAILS in verdicts:
        return ClaimVerdict.FAILS
    return ClaimVerdict.NOISE if ClaimVerdict.NOISE in verdicts else ClaimVerdict.HOLDS


def over_runs(effects: Mapping[Run, float], unit: str) -> Judgement:
    """One verdict over runs, one or more, by the interval of their mean."""
    values = list(effects.values())
    effect, (low, high) = float(np.mean(values)), mean_interval(values)
    models = tuple(dict.fromkeys(model for model, _ in effects))
    note = "a single run, so no interval: the sign decides" if len(values) == 1 else ""
    interval = _over_what(effects) if len(values) > 1 else ""
    return Judgement(of_interval(effect, low, high), effect, low, high, unit, len(values), models, note, interval)


def _over_what(runs: Collection[Run]) -> str:
    """``3 runs: 3 models, one seed each``: what the interval of a mean over runs takes in."""
    models, seeds = ({run[place] for run in runs} for place in (0, 1))
    of_seeds = f"seeds {', '.join(map(str, sorted(seeds)))}" if len(seeds) > 1 else "one seed each"
    return f"{len(runs)} runs: {number(len(models), 'model')}, {of_seeds}"


def number(count: int, what: str) -> str:
    """``1 model``, ``3 models``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def mean_interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """Student interval of a mean; none for a single value, and of no width where all are equal.

    Runs are few: a bootstrap of three values cannot go beyond them, and its interval would be too narrow.
    """
    if len(values) < 2:
        return None, None
    mean, error = float(np.mean(values)), float(stats.sem(values))
    if math.isclose(error, 0, abs_tol=1e-12):
        return mean, mean
    low, high = stats.t.interval(CONFIDENCE, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)


def numbers_within(values: Sequence[tuple[str, float]], low: float | None, high: float | None, unit: str) -> Judgement:
    """Whether all numbers of (model, number) lie within the allowed range, its ends included; the effect is their mean.

    The interval is left empty: a range says what is allowed, and every number must obey it.
    """
    outside = [
        (model, value)
        for model, value in values
        if (low is not None and value < low) or (high is not None and value > high)
    ]
    allowed = f"allowed: {'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
    found = "; ".join(f"{model} {value:.6g}" for model, value in outside)
    return Judgement(
        ClaimVerdict.FAILS if outside else ClaimVerdict.HOLDS,
        effect=float(np.mean([value for _, value in values])),
        unit=unit,
        n=len(values),
        models=tuple(dict.fromkeys(model for model, _ in values)),
        note=f"{allowed}; outside: {found}" if outside else allowed,
    )
