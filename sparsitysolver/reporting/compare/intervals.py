"""The interval of a paired difference: how far other windows or items, and other seeds, might move it (no torch).

Two parts, one over windows or items and one over seeds, each a Student interval of its own. Seeds are few, so theirs
has few degrees of freedom: a percentile bootstrap of three seeds cannot go beyond them and is far too narrow. The two
half-widths are combined as the root of the sum of their squares (method of variance estimates recovery, Zou and Donner
2008): where one part alone counts this is that part's own interval, in between it errs on the wide side.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


def seeds_of(strata: Sequence[np.ndarray]) -> int:
    """How many seeds an interval of these differences takes in: that of all strata, or 1 where they differ in it."""
    numbers = {len(stratum) for stratum in strata}
    return numbers.pop() if len(numbers) == 1 else 1


def difference_interval(strata: Sequence[np.ndarray], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of the unweighted mean over strata of each stratum's mean; of no width where nothing varies.

    Over one seed it says how far other windows or items might move the mean, and nothing of seeds. Over several, both:
    a seed counts as one observation in all strata together, whatever it has in common there.

    Args:
        strata: paired differences, one array of shape (seeds, windows or items) for each task or model; two windows or
            items or more. Strata with different numbers of seeds are averaged over theirs first.
        confidence: in (0, 1).
    """
    mean = float(np.mean([stratum.mean() for stratum in strata]))
    parts = [_over_observations(strata)]
    if seeds_of(strata) > 1:
        parts.append(_over_seeds(strata))
    half = float(np.sqrt(sum((quantile(freedom, confidence) ** 2) * variance for variance, freedom in parts)))
    return mean - half, mean + half


def mean_interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """Interval of a mean of single values, such as runs; none for one alone."""
    return difference_interval([np.array([values])]) if len(values) > 1 else (None, None)


def _over_observations(strata: Sequence[np.ndarray]) -> tuple[float, float]:
    """Variance of the mean over windows or items and its degrees of freedom (Welch and Satterthwaite)."""
    of_windows = [stratum.mean(axis=0) for stratum in strata]
    parts = np.array([window.var(ddof=1) / len(window) for window in of_windows]) / len(strata) ** 2
    variance, freedoms = float(parts.sum()), np.array([len(window) - 1 for window in of_windows])
    return variance, variance**2 / float((parts**2 / freedoms).sum()) if variance > 0 else float(freedoms.sum())


def _over_seeds(strata: Sequence[np.ndarray]) -> tuple[float, float]:
    """Variance of the mean over seeds and its degrees of freedom."""
    of_seeds = np.mean([stratum.mean(axis=1) for stratum in strata], axis=0)
    return float(of_seeds.var(ddof=1)) / len(of_seeds), len(of_seeds) - 1


def quantile(freedom: float, confidence: float = CONFIDENCE) -> float:
    """How many standard errors Student's interval of a mean extends to either side."""
    return float(stats.t.ppf((1 + confidence) / 2, freedom))
