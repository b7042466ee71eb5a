"""How long a search took: episodes until it was about as good as it got, and their time (paper, table 6; no torch)."""

import math
import statistics
from collections.abc import Sequence

WITHIN = 0.01  # of the best perplexity: when a search is about as good as that


def episodes_to(
    curve: Sequence[float | None], within: float = WITHIN, first: int = 300, best: float | None = None
) -> int | None:
    """Episodes needed: the number, from 1, of the first whose perplexity is within ``within`` of the best.

    Args:
        curve: perplexity of every episode in order; None or a value that is not finite never counts.
        within: tolerance relative to the best perplexity (0.01: at most 1% above it).
        first: only so many episodes are looked at, for the best as for the answer.
        best: the perplexity to come close to, that of another search; by default the best of those looked at.

    Returns:
        The number of episodes, or None where none is close enough or no perplexity is finite.
    """
    looked_at = [math.inf if ppl is None or math.isnan(ppl) else ppl for ppl in curve[:first]]
    best = min(looked_at, default=math.inf) if best is None else best
    if math.isinf(best):
        return None
    return next((number for number, ppl in enumerate(looked_at, start=1) if ppl <= best * (1 + within)), None)


def episode_seconds(seconds: Sequence[float]) -> float | None:
    """Median seconds of an episode; None where there is none."""
    return statistics.median(seconds) if seconds else None
