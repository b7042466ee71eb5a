"""How much faster: medians of paired ratios with intervals that assume nothing of how times are distributed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Speedup:
    """Median of a ratio over rounds, and an interval that holds the true median with probability ``coverage``."""

    value: float
    low: float
    high: float
    coverage: float


def speedup(before: Sequence[float], after: Sequence[float], confidence: float = CONFIDENCE) -> Speedup:
    """Ratio of two models' seconds, round by round.

    Args:
        before: seconds of the dense model, one number a round.
        after: seconds of the pruned model in the same rounds.
        confidence: least coverage of the interval, where there are rounds enough (six for 95%).
    """
    ratios = sorted(first / second for first, second in zip(before, after, strict=True))
    rank, coverage = interval_rank(len(ratios), confidence)
    return Speedup(median(ratios), ratios[rank - 1], ratios[-rank], coverage)


def interval_rank(count: int, confidence: float = CONFIDENCE) -> tuple[int, float]:
    """The interval for a median from the ``rank``-th smallest to the ``rank``-th greatest of ``count`` values.

    Each value lies below the median with probability 1/2, so the interval misses it with probability
    2 P(Binomial(count, 1/2) < rank). The greatest rank that reaches ``confidence`` is taken; where none does, the whole
    range, and the coverage says how little that is.

    Returns:
        rank, counted from 1, and the exact coverage.
    """
    coverages = [1 - 2 * sum(math.comb(count, below) for below in range(rank)) / 2**count for rank in range(count + 1)]
    good = [rank for rank in range(1, (count + 1) // 2 + 1) if coverages[rank] >= confidence]
    rank = good[-1] if good else 1
    return rank, coverages[rank]
