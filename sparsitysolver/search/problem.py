"""What a search is asked to solve: units, a budget, and an objective that scores candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sparsitysolver.pruning.budget import Bounds, Projection, ratios
from sparsitysolver.pruning.units import Unit, budget, kept_weights
from sparsitysolver.search.objectives import Objective


@dataclass
class Problem:
    """Units, budget and a way to score candidates.

    ``sized`` makes the objective over another number of windows (or items), of which there are ``most``; without it
    every candidate is scored alike.
    """

    units: Sequence[Unit]
    sparsity: float
    bounds: Bounds
    project: Projection
    objective: Objective
    literal: bool = False
    sized: Callable[[int], Objective] | None = None
    most: int = 0
    _objectives: dict[int, Objective] = field(default_factory=dict)

    def constrain(self, action: np.ndarray) -> list[int]:
        """Raw action (units,) to kept counts within the budget (Algorithm 1)."""
        return self.fit(ratios(np.asarray(action, dtype=float), self.bounds, self.literal))

    def fit(self, wanted: np.ndarray) -> list[int]:
        """Preserved ratios (units,) to kept counts within the budget."""
        return self.project(np.asarray(wanted, dtype=float), self.units, self.sparsity, self.bounds)

    @property
    def uniform(self) -> np.ndarray:
        """The preserved ratios (units,) that are 1 - P everywhere."""
        return np.full(len(self.units), 1 - self.sparsity)

    @property
    def settled(self) -> bool:
        """Whether bounds and budget alone decide the strategy: one unit, or one ratio that any may have."""
        return len(self.units) == 1 or self.bounds.lower == self.bounds.upper

    def ratios(self, kept: Sequence[int]) -> np.ndarray:
        """Kept counts as preserved ratios (units,)."""
        return np.array(kept) / [unit.size for unit in self.units]

    def feasible(self, kept: Sequence[int]) -> bool:
        """Whether a candidate keeps no more weights than the budget."""
        return kept_weights(self.units, kept) <= budget(self.units, self.sparsity)

    def score(self, kept: Sequence[int], objective: Objective | None = None) -> tuple[float | None, float]:
        """(perplexity, reward) by the search's objective or another; no perplexity where that measures none."""
        return (objective or self.objective).score(kept)

    def over(self, size: int | None) -> Objective:
        """The objective over ``size`` windows or items, at most all there are; None for the search's own."""
        if size is None or self.sized is None or size == self.objective.size:
            return self.objective
        size = min(size, self.most)
        if size not in self._objectives:
            self._objectives[size] = self.sized(size)
        return self._objectives[size]

    @property
    def setup_evaluations(self) -> int:
        """Evaluations of the dense model behind all objectives so far."""
        return sum(objective.setup_evaluations for objective in self._all)

    @property
    def setup_tokens(self) -> int:
        """Tokens of those evaluations."""
        return sum(objective.setup_evaluations * objective.tokens for objective in self._all)

    @property
    def _all(self) -> list[Objective]:
        return [self.objective, *self._objectives.values()]
