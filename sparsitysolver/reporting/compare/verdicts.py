"""One sample against another: how far apart they are, in which direction is better, and the verdict that this is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.config.tables import DASH
from sparsitysolver.reporting.compare.comparability import UNEQUAL
from sparsitysolver.reporting.compare.intervals import difference_interval, seeds_of

Strata = Mapping[str, np.ndarray]  # paired differences (seeds, windows or items) by what they are averaged over


class Verdict(StrEnum):
    """What results say of a statement, such as "A is better than B" or "this is the published value"."""

    HOLDS = "holds"
    FAILS = "fails"
    NOISE = "inside the noise"
    TIE = "tie"  # equal digits, where no interval says more
    UNEQUAL = UNEQUAL  # too different amounts were removed
    NOT_COMPARABLE = "not comparable"
    NOT_RUN = "not run"
    KNOWN = "known"  # fails, as the accepted value does
    NEW = "new"  # there is no accepted value

    @property
    def opposite(self) -> "Verdict":
        """The verdict on the opposite statement."""
        return {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}.get(self, self)


_ALL = {verdict: str(verdict) for verdict in Verdict}
# "The first row, A, is better than the second, B."
PAIR_WORDS = _ALL | {Verdict.HOLDS: "A better", Verdict.FAILS: "B better", Verdict.NOT_RUN: DASH}
# "The measured rows stand in the order that the paper prints."
ORDER_WORDS = _ALL | {Verdict.HOLDS: "order holds", Verdict.FAILS: "order reversed"}
# "The measured value is the published one."
PUBLISHED_WORDS = {
    Verdict.HOLDS: "reproduced",
    Verdict.FAILS: "deviates",
    **{verdict: str(verdict) for verdict in (Verdict.NOT_COMPARABLE, Verdict.NOT_RUN)},
}
# "The measured value is the published, or the accepted one."
REGRESSION_WORDS = {
    Verdict.HOLDS: "ok",
    Verdict.FAILS: "out",
    **{verdict: str(verdict) for verdict in (Verdict.KNOWN, Verdict.NEW)},
    Verdict.NOT_RUN: "missing",
    Verdict.NOT_COMPARABLE: str(Verdict.NOT_COMPARABLE),
}


def above_zero(effect: float, low: float | None, high: float | None) -> Verdict:
    """Whether an effect is above zero, by its interval, or by its sign where there is none."""
    if low is None or high is None:
        low = high = effect
    if low <= 0 <= high:
        return Verdict.NOISE
    return Verdict.HOLDS if low > 0 else Verdict.FAILS


def all_of(verdicts: Collection[Verdict]) -> Verdict:
    """Fails where any fails, holds where all hold, and is inside the noise otherwise."""
    return next((verdict for verdict in (Verdict.FAILS, Verdict.NOISE) if verdict in verdicts), Verdict.HOLDS)


@dataclass(frozen=True)
class Comparison:
    """How far the first of two samples lies above the second, and the interval of that; None where there is none.

    Perplexities in percent, ``100 (exp(mean(d)) - 1)`` for differences ``d`` of the windows' mean losses; accuracies in
    points.
    """

    effect: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 1  # windows, items or whatever else it rests on
    over: str = ""  # what the interval takes in, in words
    unequal: str = ""  # why the difference says little about the methods; empty where it may be judged
    strata: Strata = field(default_factory=dict, repr=False, compare=False)  # the paired differences behind it

    @property
    def verdict(self) -> Verdict:
        """Whether the first is above the second."""
        if self.unequal:
            return Verdict.UNEQUAL
        return Verdict.NOT_RUN if self.effect is None else above_zero(self.effect, self.low, self.high)


def compare(strata: Strata, metric: str, unequal: str = "") -> Comparison:
    """The comparison that paired differences give: strata, such as tasks or models, have equal weights."""
    arrays = list(strata.values())
    mean, seeds = float(np.mean([array.mean() for array in arrays])), seeds_of(arrays)
    numbers = (in_unit(value, metric) for value in (mean, *difference_interval(arrays)))
    over = "windows" if metric == PERPLEXITY_METRIC else "items"
    over += f" and {seeds} seeds" if seeds > 1 else ", not seeds"
    return Comparison(*numbers, sum(array.shape[1] for array in arrays), over, unequal, strata)


def paired(first: Mapping[int, np.ndarray], second: Mapping[int, np.ndarray]) -> np.ndarray:
    """First less second, shape (seeds, n), of samples of shape (n,) by seed.

    Seeds of one index share calibration windows, and so are paired. Samples of different seeds are averaged over theirs
    first, which leaves one row of differences.
    """
    if first.keys() == second.keys():
        return np.array([first[seed] - second[seed] for seed in sorted(first)])
    one, other = (np.mean(list(sample.values()), axis=0, keepdims=True) for sample in (first, second))
    return one - other


def in_unit(difference: float, metric: str) -> float:
    """A difference of losses as percent of perplexity, one of fractions correct as points; both keep the order."""
    return float(100 * np.expm1(difference)) if metric == PERPLEXITY_METRIC else 100 * difference


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one."""
    return metric == PERPLEXITY_METRIC


def printed_scale(metric: str) -> float:
    """Factor from a cell's value to the printed one: perplexities as they are, accuracies in percent."""
    return 1.0 if metric == PERPLEXITY_METRIC else 100.0
