"""Differences between searches, tested over seeds: paired t test, t interval, and Holm's correction for several tests.

A seed draws calibration windows and whatever a search draws, anew for both searches of a pair; the test windows are the
same for all seeds. So the test says whether one search is better than another *on these windows*, whatever the seed.
How far other text would change the difference is not in it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from sparsitysolver.reporting.compare.intervals import quantile

LEVEL = 0.05  # of a test; intervals cover the rest
_SAME = 1e-9  # nats: seeds closer than this differ by rounding only, and there is nothing to test


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
    half = quantile(seeds - 1) * error
    p = 2 * stats.t.sf(np.abs(mean) / error, seeds - 1)
    return SeedTest(mean, mean - half, mean + half, p)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's corrected p values of tests (..., tests) that are read together; NaN stands for a test not made.

    Below ``LEVEL`` where any is taken for a difference, the chance that one of them is none is at most ``LEVEL``,
    however the tests depend on each other (Holm 1979).
    """
    order = np.argsort(p, axis=-1)  # NaN comes last
    ranked = np.take_along_axis(p, order, axis=-1)
    left = np.isfinite(p).sum(axis=-1, keepdims=True) - np.arange(p.shape[-1])
    corrected = np.minimum(np.maximum.accumulate(left * ranked, axis=-1), 1)
    out = np.empty_like(corrected)
    np.put_along_axis(out, order, corrected, axis=-1)
    return out
