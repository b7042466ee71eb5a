"""One sample against another, window by window or item by item: how far apart they are, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.reporting.compare.intervals import difference_interval, seeds_of
from sparsitysolver.reporting.compare.verdicts import Verdict, above_zero

Strata = Mapping[str, np.ndarray]  # paired differences (seeds, windows or items) by what they are averaged over


@dataclass(frozen=True)
class Comparison:
    """How far the first of two samples lies above the second.

    Attributes:
        effect: perplexities in percent, ``100 (exp(mean(d)) - 1)`` for differences ``d`` of the windows' mean losses;
            accuracies in points. None where it cannot be taken.
        low, high: its interval; None where there is none.
        n: windows, items or whatever else it rests on.
        over: what the interval takes in, in words.
        unequal: why the difference says little about the methods; empty where it may be judged.
        strata: the paired differences behind it.
    """

    effect: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 1
    over: str = ""
    unequal: str = ""
    strata: Strata = field(default_factory=dict, repr=False, compare=False)

    @property
    def verdict(self) -> Verdict:
        """Whether the first is above the second."""
        if self.unequal:
            return Verdict.UNEQUAL
        return Verdict.NOT_RUN if self.effect is None else above_zero(self.effect, self.low, self.high)


def compare(strata: Strata, metric: str, unequal: str = "") -> Comparison:
    """The comparison that paired differences give: strata, such as tasks or models, have equal weights."""
    arrays = list(strata.values())
    mean = float(np.mean([array.mean() for array in arrays]))
    numbers = (in_unit(value, metric) for value in (mean, *difference_interval(arrays)))
    return Comparison(*numbers, sum(array.shape[1] for array in arrays), _over(arrays, metric), unequal, strata)


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


def _over(strata: Sequence[np.ndarray], metric: str) -> str:
    observations, seeds = "windows" if metric == PERPLEXITY_METRIC else "items", seeds_of(strata)
    return f"{observations} and {seeds} seeds" if seeds > 1 else f"{observations}, not seeds"
