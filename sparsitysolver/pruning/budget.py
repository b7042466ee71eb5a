"""From an agent's action to whole units within the weight budget: Algorithm 1, and an exact projection beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.pruning.units import STRUCTURED, Unit, budget

# Line 2 of Algorithm 1 stretches the range by this much, so that the upper bound is reached without saturation.
STRETCH = 0.1
# Counts are floors of real numbers; without this slack 0.8 * 5 could come out as 3.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Bounds:
    """a_min and a_max: bounds of the preserved ratio of any unit."""

    lower: float
    upper: float = 1.0
    start: float | None = None  # the ratio that action 0 asks for; None for the middle of the range of line 2

    @property
    def shift(self) -> float:
        """tanh of what is added to an action so that 0 asks for ``start``; 0 where that is the middle."""
        return 0.0 if self.start is None else 2 * (self.start - self.lower) / (self.upper - self.lower + STRETCH) - 1


def default_bounds(sparsity: float, upper: float = 1.0) -> Bounds:
    """The bounds that put the initial policy (action 0) on the budget: a_min = 2(1-P) - a_max - 0.1, at least 0.

    The paper gives none; this makes them (0.5, 1) at P = 0.2 and (0.3, 1) at P = 0.3 (deviation 2). Where a_min would
    have to be negative, above P = 0.45 with a_max = 1, actions are shifted so that 0 is on the budget (deviation 96).
    """
    lower = round(2 * (1 - sparsity) - upper - STRETCH, 10)
    return Bounds(lower, upper) if lower >= 0 else Bounds(0.0, upper, round(1 - sparsity, 10))


def default_upper(sparsity: float, granularity: str) -> float:
    """a_max where none is given: 1 for heads and neurons; for weight matrices what Wanda's scores tolerate.

    No matrix of a model at P = 0.5 to 0.7 gains from being left dense while others pay for it: (a_min, a_max) become
    (0.2, 0.7), (0, 0.7) and (0, 0.5) at P = 0.5, 0.6 and 0.7, and (0.5, 1) at 0.2 as for structured pruning
    (deviation 2).
    """
    if granularity == STRUCTURED:
        return 1.0
    kept = 1 - sparsity
    upper = min(1.0, max(0.7, kept + 0.2), 2 * kept - STRETCH)
    return round(max(kept, upper), 10)


def check_bounds(bounds: Bounds, sparsity: float) -> Bounds:
    """a_min <= 1 - P <= a_max, or an error: otherwise no action can meet the budget."""
    if not (0 <= bounds.lower <= 1 - sparsity + _ROUNDING and 1 - sparsity - _ROUNDING <= bounds.upper <= 1):
        raise SparsitySolverError(
            f"a_min = {bounds.lower}, a_max = {bounds.upper} at sparsity {sparsity}: "
            f"0 <= a_min <= {1 - sparsity:g} <= a_max <= 1 is needed."
        )
    return bounds


def ratios(action: np.ndarray, bounds: Bounds, literal: bool = False) -> np.ndarray:
    """Lines 1 to 3 of Algorithm 1: a raw action (units,) to preserved ratios within [0, a_max].

    ``literal`` takes line 1 as printed, tanh(A + 1) / 2, whose range cannot reach a_max; the default is
    (tanh(A) + 1) / 2 (deviation 1), shifted to where the bounds have action 0.
    """
    squashed = np.tanh(action + 1) / 2 if literal else (np.tanh(action + np.arctanh(bounds.shift)) + 1) / 2
    stretched = squashed * (bounds.upper - bounds.lower + STRETCH) + bounds.lower
    return np.clip(stretched, 0.0, bounds.upper)


def walked(ratio: float, bounds: Bounds) -> float:
    """The same shift for an agent whose action is a ratio within the bounds; their ends stay where they are.

    With s the ratio scaled to [-1, 1] and t the shift, tanh(artanh(s) + artanh(t)) is (s + t) / (1 + st).
    """
    if not bounds.shift:
        return ratio
    scaled = 2 * (ratio - bounds.lower) / (bounds.upper - bounds.lower) - 1
    shifted = (scaled + bounds.shift) / (1 + scaled * bounds.shift)
    return bounds.lower + (bounds.upper - bounds.lower) * (shifted + 1) / 2


class Wall:
    """Lines 4 to 9 of Algorithm 1, a unit at a time in order: whole items, and no more than the budget leaves.

    A unit may keep what is left when all earlier units keep what they got and all later ones a_min. The cap is
    one-sided: units that ask for less than it get less. AMC's action wall is the same rule (He et al. 2018, alg. 1).
    """

    def __init__(self, units: Sequence[Unit], sparsity: float, bounds: Bounds) -> None:
        self._units = units
        self._lower = bounds.lower
        self._room = budget(units, sparsity)
        self._reserved = bounds.lower * sum(unit.weights for unit in units)
        self.spent = 0  # weights kept so far
        self.kept: list[int] = []

    def keep(self, ratio: float) -> int:
        """Items that the next unit keeps where it asks for ``ratio`` of them."""
        unit = self._units[len(self.kept)]
        self._reserved -= self._lower * unit.weights
        cap = int((self._room - self.spent - self._reserved) / unit.weights_per_item + _ROUNDING)
        count = max(0, min(int(np.rint(ratio * unit.size)), cap))
        self.spent += count * unit.weights_per_item
        self.kept.append(count)
        return count


def greedy(wanted: np.ndarray, units: Sequence[Unit], sparsity: float, bounds: Bounds) -> list[int]:
    """Lines 4 to 10 of Algorithm 1: whole items, capped front to back (:class:`Wall`); what is below stays below."""
    wall = Wall(units, sparsity, bounds)
    for ratio, _ in zip(wanted, units, strict=True):
        wall.keep(ratio)
    return wall.kept


def projection(wanted: np.ndarray, units: Sequence[Unit], sparsity: float, bounds: Bounds) -> list[int]:
    """Shift all ratios by one constant until the budget is met, then spend what rounding leaves item by item.

    The result never exceeds the budget and misses it by less than the smallest item that still fits.
    """
    room = budget(units, sparsity)
    sizes = np.array([unit.size for unit in units])
    weights = np.array([unit.weights_per_item for unit in units])

    def exact(shift: float) -> np.ndarray:
        return np.clip(wanted + shift, bounds.lower, bounds.upper) * sizes

    low, high = -1.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        fits = np.floor(exact(middle) + _ROUNDING) @ weights <= room
        low, high = (middle, high) if fits else (low, middle)
    counts = np.floor(exact(low) + _ROUNDING).astype(int)
    remainders = exact(low) - counts
    limits = np.floor(bounds.upper * sizes + _ROUNDING).astype(int)
    left = room - int(counts @ weights)
    while (growing := (counts < limits) & (weights <= left)).any():  # the largest rounding loss first
        best = int(np.argmax(np.where(growing, remainders, -np.inf)))
        counts[best] += 1
        remainders[best] -= 1
        left -= int(weights[best])
    return counts.tolist()


Projection = Callable[[np.ndarray, Sequence[Unit], float, Bounds], list[int]]
BUDGETS: dict[str, Projection] = {"greedy": greedy, "projection": projection}


def budget_rule(name: str) -> Projection:
    """A way to meet the budget by name, or an error with near names."""
    return BUDGETS[known("budget rule", name, BUDGETS)]
