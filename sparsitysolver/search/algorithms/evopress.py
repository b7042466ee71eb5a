"""EvoPress-style search (Sieberling et al., ICML 2025): level swaps and selection in stages, over whole units.

One parent; offspring swap a level between two units one to three times, so that the weights kept in total stay as they
are. All offspring meet few windows, the best of them more, and the last ones and the parent the most. Levels are steps
of the original's size in weights, but no smaller than one item of any unit; the range is the search's bounds
(deviation 89).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.search.problem import Problem
from sparsitysolver.search.trials import Trials, budgeted


@dataclass(frozen=True)
class EvoPressSettings:
    """``stages`` are (candidates, share of the search's own windows) of a generation, the parent not counted."""

    stages: tuple[tuple[int, float], ...] = ((16, 0.25), (4, 1.0), (1, 2.0))
    most_swaps: int = 3
    levels: int = 8  # the original's, on each side of uniform; they decide the size of a step
    attempts: int = 50  # at an offspring that is not among its siblings


SETTINGS = EvoPressSettings()


class Levels:
    """Level vectors (units,) of integers that sum to 0, as kept counts; level 1 keeps one step less than uniform."""

    def __init__(self, problem: Problem, settings: EvoPressSettings = SETTINGS) -> None:
        self._problem = problem
        weights = np.array([unit.weights for unit in problem.units])
        usual = 0.5 * min(problem.sparsity, 1 - problem.sparsity) / settings.levels * weights.min()
        self._shares = max(usual, *(unit.weights_per_item for unit in problem.units)) / weights

    def ratios(self, levels: np.ndarray) -> np.ndarray:
        """Preserved ratios of levels."""
        return self._problem.uniform - levels * self._shares

    def allowed(self, levels: np.ndarray) -> bool:
        """Whether all ratios lie within the bounds."""
        ratios, bounds = self.ratios(levels), self._problem.bounds
        return bool((ratios >= bounds.lower - 1e-9).all() and (ratios <= bounds.upper + 1e-9).all())

    def kept(self, levels: np.ndarray) -> list[int]:
        """Kept counts of levels."""
        return self._problem.fit(self.ratios(levels))


class Generations:
    """The parent and its offspring."""

    def __init__(self, trials: Trials, seed: int, settings: EvoPressSettings = SETTINGS) -> None:
        self._problem, self._trials, self._settings = trials.problem, trials, settings
        self._levels = Levels(trials.problem, settings)
        self._rng = np.random.default_rng(seed)
        self.parent = np.zeros(len(trials.problem.units), dtype=int)

    def run(self) -> None:
        """Generations until the budget is spent; the parent stays where no offspring is better (elitism)."""
        final = min(self._settings.stages[-1][1], self._trials.episodes)  # one evaluation is less than a last stage
        best = self._score(self.parent, final)
        while not self._problem.settled:
            chosen, reward = self._generation()
            if reward > best:
                self.parent, best = chosen, reward

    def _generation(self) -> tuple[np.ndarray, float]:
        """The last survivor of one generation and its reward on the most windows."""
        survivors = self._offspring(self._settings.stages[0][0])
        rewards = [0.0]
        for count, share in self._settings.stages:
            survivors = survivors[:count]
            rewards = [self._score(levels, share) for levels in survivors]
            order = np.argsort([-reward for reward in rewards], kind="stable")
            survivors, rewards = [survivors[index] for index in order], [rewards[index] for index in order]
        return survivors[0], rewards[0]

    def _score(self, levels: np.ndarray, share: float) -> float:
        size = max(1, round(share * self._trials.problem.objective.size))
        return self._trials.score(self._levels.kept(levels), size).reward

    def _offspring(self, count: int) -> Sequence[np.ndarray]:
        """Different offspring, as far as a bounded number of attempts finds them."""
        found: dict[tuple[int, ...], np.ndarray] = {}
        for _ in range(self._settings.attempts * count):
            child = self._child()
            found.setdefault(tuple(self._levels.kept(child)), child)
            if len(found) == count:
                break
        return list(found.values())

    def _child(self) -> np.ndarray:
        """The parent after ``min`` of two draws of 1 to 3 swaps, each within the bounds."""
        child = self.parent.copy()
        for _ in range(int(self._rng.integers(1, self._settings.most_swaps + 1, size=2).min())):
            for _ in range(self._settings.attempts):
                less, more = self._rng.choice(len(child), size=2, replace=False)
                swapped = child.copy()
                swapped[less] += 1
                swapped[more] -= 1
                if self._levels.allowed(swapped):
                    child = swapped
                    break
        return child


@budgeted
def run(trials: Trials, seed: int) -> None:
    """Generations until the budget is spent."""
    Generations(trials, seed).run()
