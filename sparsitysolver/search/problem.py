"""What a search is asked to solve: units, a budget, and an objective that scores candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.pruning.budget import Bounds, Projection, ratios
from sparsitysolver.pruning.units import Unit
from sparsitysolver.search.objectives import Objective


@dataclass
class Problem:
    """Units, budget and a way to score candidates."""

    units: Sequence[Unit]
    sparsity: float
    bounds: Bounds
    project: Projection
    objective: Objective
    literal: bool = False

    def constrain(self, action: np.ndarray) -> list[int]:
        """Raw action (units,) to kept counts within the budget (Algorithm 1)."""
        wanted = ratios(np.asarray(action, dtype=float), self.bounds, self.literal)
        return self.project(wanted, self.units, self.sparsity, self.bounds)

    def score(self, kept: Sequence[int]) -> tuple[float | None, float]:
        """(perplexity, reward) of a candidate; no perplexity where the objective measures none."""
        return self.objective.score(kept)
