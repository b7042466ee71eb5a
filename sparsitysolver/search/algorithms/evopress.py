"""EvoPress-style search (Sieberling et al., ICML 2025): level swaps and selection in stages, over whole units.

One parent; offspring swap a level between two units one to three times, so that the weights kept in total stay as they
are. All offspring meet few windows, the best of them more, and the last ones and the parent the most. Levels are steps
of the original's size in weights, but no smaller than one item of any unit; the range is the search's bounds
(deviation 89).
"""

from types import SimpleNamespace

import numpy as np

from sparsitysolver.search.trials import Trials, budgeted

SETTINGS = SimpleNamespace(
    # (candidates, share of the search's own windows) of a generation, the parent not counted
    stages=((16, 0.25), (4, 1.0), (1, 2.0)),
    most_swaps=3,
    levels=8,  # the original's, on each side of uniform; they decide the size of a step
    attempts=50,  # at an offspring that is not among its siblings
)


class Generations:
    """The parent and its offspring: level vectors (units,) of integers that sum to 0.

    Level 1 keeps one step less than uniform, -1 one more.
    """

    def __init__(self, trials: Trials, seed: int) -> None:
        self._trials, self._problem, self._rng = trials, trials.problem, np.random.default_rng(seed)
        units, sparsity = self._problem.units, self._problem.sparsity
        weights = np.array([unit.weights for unit in units])
        usual = 0.5 * min(sparsity, 1 - sparsity) / SETTINGS.levels * weights.min()
        self._step = max(usual, *(unit.weights_per_item for unit in units)) / weights  # of a level, in ratios
        self.parent = np.zeros(len(units), dtype=int)

    def run(self) -> None:
        """Generations until the budget is spent; the parent stays where no offspring is better (elitism)."""
        final = min(SETTINGS.stages[-1][1], self._trials.episodes)  # one evaluation is less than a last stage
        best = self._score(self.parent, final)
        while not self._problem.settled:
            chosen, reward = self._generation()
            if reward > best:
                self.parent, best = chosen, reward

    def _generation(self) -> tuple[np.ndarray, float]:
        """The last survivor of one generation and its reward on the most windows."""
        survivors = self._offspring(SETTINGS.stages[0][0])
        for count, share in SETTINGS.stages:
            scored = [(levels, self._score(levels, share)) for levels in survivors[:count]]
            scored.sort(key=lambda pair: -pair[1])
            survivors = [levels for levels, _ in scored]
        return scored[0]

    def ratios(self, levels: np.ndarray) -> np.ndarray:
        """Preserved ratios of levels."""
        return self._problem.uniform - levels * self._step

    def allowed(self, levels: np.ndarray) -> bool:
        """Whether all ratios lie within the bounds."""
        ratios, bounds = self.ratios(levels), self._problem.bounds
        return bool((ratios >= bounds.lower - 1e-9).all() and (ratios <= bounds.upper + 1e-9).all())

    def _kept(self, levels: np.ndarray) -> list[int]:
        return self._problem.fit(self.ratios(levels))

    def _score(self, levels: np.ndarray, share: float) -> float:
        size = max(1, round(share * self._problem.objective.size))
        return self._trials.score(self._kept(levels), size).reward

    def _offspring(self, count: int) -> list[np.ndarray]:
        """Different offspring, as far as a bounded number of attempts finds them."""
        found: dict[tuple[int, ...], np.ndarray] = {}
        for _ in range(SETTINGS.attempts * count):
            child = self._child()
            found.setdefault(tuple(self._kept(child)), child)
            if len(found) == count:
                break
        return list(found.values())

    def _child(self) -> np.ndarray:
        """The parent after ``min`` of two draws of 1 to 3 swaps, each within the bounds."""
        child = self.parent.copy()
        for _ in range(int(self._rng.integers(1, SETTINGS.most_swaps + 1, size=2).min())):
            for _ in range(SETTINGS.attempts):
                less, more = self._rng.choice(len(child), size=2, replace=False)
                swapped = child.copy()
                swapped[less] += 1
                swapped[more] -= 1
                if self.allowed(swapped):
                    child = swapped
                    break
        return child


@budgeted
def run(trials: Trials, seed: int) -> None:
    """Generations until the budget is spent."""
    Generations(trials, seed).run()
