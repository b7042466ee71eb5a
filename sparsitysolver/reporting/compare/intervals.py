"""How sure a paired difference is: intervals over windows or items and over seeds, and tests over seeds (no torch).

An interval has two parts, one over windows or items and one over seeds, each a Student interval of its own. Seeds are
few, so theirs has few degrees of freedom: a percentile bootstrap of three seeds cannot go beyond them and is far too
narrow. The two half-widths are combined as the root of the sum of their squares (method of variance estimates recovery,
Zou and Donner 2008): where one part alone counts this is that part's own interval, in between it errs on the wide side.

A test is over seeds alone. A seed draws calibration windows and whatever a search draws, anew for both searches of a
pair; the test windows are the same for all seeds. So the test says whether one search is better than another *on these
windows*, whatever the seed. How far other text would change the difference is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
LEVEL = 0.05  # of a test; intervals cover the rest
_SAME = 1e-9  # nats: seeds closer than this differ by rounding only, and there is nothing to test


def seeds_of(strata: Sequence[np.ndarray]) -> int:
    """How many seeds an interval of these differences takes in: that of all strata, or 1 where they differ in it."""
    numbers = {len(stratum) for stratum in strata}
    return numbers.pop() if len(numbers) == 1 else 1


def difference_interval(strata: Sequence[np.ndarray]) -> tuple[float, float]:
    """Interval of the unweighted mean over strata of each stratum's mean; of no width where nothing varies.

    Over one seed it says how far other windows or items might move the mean, and nothing of seeds. Over several, both:
    a seed counts as one observation in all strata together, whatever it has in common there.

    Args:
        strata: paired differences, one array of shape (seeds, windows or items) for each task or model; two windows or
            items or more. Strata with different numbers of seeds are averaged over theirs first.
    """
    of_windows = [stratum.mean(axis=0) for stratum in strata]
    parts = np.array([window.var(ddof=1) / len(window) for window in of_windows]) / len(strata) ** 2
    variance, freedoms = float(parts.sum()), np.array([len(window) - 1 for window in of_windows])
    # Welch and Satterthwaite
    freedom = variance**2 / float((parts**2 / freedoms).sum()) if variance > 0 else float(freedoms.sum())
    square = _quantile(freedom) ** 2 * variance
    if (seeds := seeds_of(strata)) > 1:
        of_seeds = np.mean([stratum.mean(axis=1) for stratum in strata], axis=0)
        square += _quantile(seeds - 1) ** 2 * (float(of_seeds.var(ddof=1)) / seeds)
    mean, half = float(np.mean([stratum.mean() for stratum in strata])), float(np.sqrt(square))
    return mean - half, mean + half


def mean_interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """Interval of a mean of single values, such as runs; none for one alone."""
    return difference_interval([np.array([values])]) if len(values) > 1 else (None, None)


def _quantile(freedom: float) -> float:
    """How many standard errors Student's interval of a mean extends to either side."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


@dataclass(frozen=True)
class SeedTest:
    """Mean difference, its interval, and the p value of no difference: arrays (...), one entry a comparison.

    The interval leaves out zero exactly where ``p`` is below ``LEVEL``. All but ``mean`` are NaN where seeds do not
    differ, or there is but one.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def paired_t(differences: np.ndarray) -> SeedTest:
    """Student's paired t test, two-sided, with as many degrees of freedom as there are seeds less one.

    Args:
        differences: of mean losses in nats per token, (..., seeds).
    """
    mean, seeds = differences.mean(axis=-1), differences.shape[-1]
    if seeds < 2:
        nothing = np.full(mean.shape, np.nan)
        return SeedTest(mean, nothing, nothing, nothing)
    error = differences.std(axis=-1, ddof=1) / np.sqrt(seeds)
    error = np.where(np.ptp(differences, axis=-1) > _SAME, error, np.nan)
    half = _quantile(seeds - 1) * error
    p = 2 * stats.t.sf(np.abs(mean) / error, seeds - 1)
    return SeedTest(mean, mean - half, mean + half, p)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's corrected p values of tests (..., tests) that are read together; NaN stands for a test not made.

    Below ``LEVEL`` where any is taken for a difference, the chance that one of them is none is at most ``LEVEL``,
    however the tests depend on each other (Holm 1979).
    """
    order = np.argsort(p, axis=-1)  # NaN comes last
    left = np.isfinite(p).sum(axis=-1, keepdims=True) - np.arange(p.shape[-1])
    corrected = np.minimum(np.maximum.accumulate(left * np.take_along_axis(p, order, axis=-1), axis=-1), 1)
    out = np.empty_like(corrected)
    np.put_along_axis(out, order, corrected, axis=-1)
    return out
