"""What keeping more or less of single units does to the loss, and the best allocation under a budget if effects add up.

Between measured counts an effect is linear. The best allocation then follows from one Lagrange multiplier, a price per
weight: every unit grows along its lower convex hull while a weight brings more than the price (Everett 1963). Pure
arithmetic on counts (no torch).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import Unit


@dataclass(frozen=True)
class Effect:
    """Change of the loss by kept count of one unit, at increasing counts; 0 at the count that it was measured from."""

    counts: tuple[int, ...]
    changes: tuple[float, ...]

    @classmethod
    def of(cls, measured: Mapping[int, float]) -> "Effect":
        """From changes by count; what is not finite was a broken model and is left out."""
        pairs = sorted((count, change) for count, change in measured.items() if np.isfinite(change))
        return cls(tuple(count for count, _ in pairs), tuple(change for _, change in pairs))

    def __call__(self, count: float) -> float:
        """The change at any count, by linear interpolation; constant outside the measured range."""
        return float(np.interp(count, self.counts, self.changes))

    def seen_from(self, count: int) -> "Effect":
        """The same effect, measured from another count."""
        origin = self(count)
        return Effect(self.counts, tuple(change - origin for change in self.changes))

    def widened(self, wider: "Effect") -> "Effect":
        """This effect, and outside its range another one's shape, joined without a step at both ends."""
        low, high = self.counts[0], self.counts[-1]
        measured = dict(zip(self.counts, self.changes, strict=True))
        for count, change in zip(wider.counts, wider.changes, strict=True):
            if count < low:
                measured[count] = self.changes[0] + change - wider(low)
            elif count > high:
                measured[count] = self.changes[-1] + change - wider(high)
        return Effect.of(measured)


@dataclass(frozen=True)
class Segment:
    """A straight piece of a unit's hull: so many more items bring ``slope`` a weight (negative: the loss falls)."""

    unit: int
    items: int
    slope: float


def hull(unit: int, effect: Effect, weights_per_item: int) -> list[Segment]:
    """The lower convex hull of an effect, as segments of increasing slope."""
    points: list[tuple[int, float]] = []
    for point in zip(effect.counts, effect.changes, strict=True):
        while len(points) > 1 and _slope(points[-2], points[-1]) >= _slope(points[-1], point):
            points.pop()
        points.append(point)
    return [
        Segment(unit, after[0] - before[0], _slope(before, after) / weights_per_item)
        for before, after in zip(points[:-1], points[1:], strict=True)
    ]


def _slope(before: tuple[int, float], after: tuple[int, float]) -> float:
    return (after[1] - before[1]) / (after[0] - before[0])


def cheapest(effects: Sequence[Effect], units: Sequence[Unit], room: int) -> list[int]:
    """Kept counts of the lowest summed effect that keep at most ``room`` weights, within those measured.

    Segments are taken in the order of what a weight brings until the budget is full; the slope at that point is the
    multiplier. The budget is spent even where the last weights bring nothing. Only the last unit to grow ends between
    two measured counts; what is then left is less than one of its items.
    """
    kept = [effect.counts[0] for effect in effects]
    left = room - sum(count * unit.weights_per_item for count, unit in zip(kept, units, strict=True))
    if left < 0:
        least = 1 - (room - left) / sum(unit.weights for unit in units)
        raise SparsitySolverError(
            f"the measured effects reach a sparsity of at most {least:.4f}, and more is asked for: measure lower "
            "counts with a smaller --a-min."
        )
    segments = [
        segment
        for index, (effect, unit) in enumerate(zip(effects, units, strict=True))
        for segment in hull(index, effect, unit.weights_per_item)
    ]
    for segment in sorted(segments, key=lambda one: one.slope):
        weight = units[segment.unit].weights_per_item
        items = min(segment.items, left // weight)
        kept[segment.unit] += items
        left -= items * weight
        if items < segment.items:
            break
    return kept
