"""The environment of AMC and its successors: one episode is a walk over the units, one action a unit.

AMC (He et al. 2018, section 3) prunes a network layer by layer: the agent sees the layer at hand, answers how much of
it to preserve, and learns what the strategy is worth after the last layer. Here a layer is a prunable unit.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import gymnasium
import numpy as np

from sparsitysolver.pruning.budget import Wall, walked
from sparsitysolver.pruning.units import Unit
from sparsitysolver.search.problem import Problem


class Walk(Wall):
    """A strategy in the making: which unit is next, and what earlier ones got."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.units, problem.sparsity, problem.bounds)
        self.units, self.bounds = problem.units, problem.bounds
        self.previous = 1.0  # preserved ratio of the unit before; 1 before the first one, as in AMC's code

    @property
    def done(self) -> bool:
        """Whether every unit has got its share."""
        return len(self.kept) == len(self.units)

    @property
    def index(self) -> int:
        """The next unit; after the last one, the last."""
        return min(len(self.kept), len(self.units) - 1)

    def keep(self, ratio: float) -> int:
        """AMC's action wall: lift to the lower bound, round to whole items, cap by what the budget leaves.

        Where actions are shifted onto the budget (:func:`~sparsitysolver.pruning.budget.walked`), before all that.
        """
        size = self.units[self.index].size
        count = super().keep(walked(max(ratio, self.bounds.lower), self.bounds))
        self.previous = count / size
        return count


class Observer(Protocol):
    """What the agent sees of a walk; ``space`` bounds it."""

    space: gymnasium.spaces.Box

    def __call__(self, walk: Walk) -> np.ndarray:
        """The state before the next unit; after the last one the state of that unit stays."""


class WalkEnvironment(gymnasium.Env):
    """One step is one unit, its action (1,) a preserved ratio in [a_min, a_max]; the last step is rewarded."""

    def __init__(self, problem: Problem, observe: Observer, evaluate: Callable[[list[int]], float]) -> None:
        bounds = problem.bounds
        self.observation_space = observe.space
        self.action_space = gymnasium.spaces.Box(bounds.lower, bounds.upper, shape=(1,), dtype=np.float32)
        self._problem, self._observe, self._evaluate = problem, observe, evaluate
        self._walk = Walk(problem)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Back to the first unit."""
        super().reset(seed=seed)
        self._walk = Walk(self._problem)
        return self._observe(self._walk), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Give the next unit its share; after the last one prune and score."""
        self._walk.keep(float(action[0]))
        done = self._walk.done
        reward = self._evaluate(self._walk.kept) if done else 0.0
        return self._observe(self._walk), reward, done, False, {}


class UnitFeatures:
    """AMC's hand-made state of a unit (section 3.1), every feature in [0, 1] (deviation 72).

    Index, kind, items, weights per item and weights of the unit, min-max scaled over the units; of all weights, the
    share removed so far and the share in later units; the ratio that the unit before got.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self._static = scaled_sizes(units)
        self._until = np.cumsum([0, *(unit.weights for unit in units)])
        self.space = gymnasium.spaces.Box(0.0, 1.0, shape=(self._static.shape[1] + 3,), dtype=np.float32)

    def __call__(self, walk: Walk) -> np.ndarray:
        """The state (features,) before the next unit."""
        total = self._until[-1]
        removed = self._until[len(walk.kept)] - walk.spent
        later = total - self._until[walk.index + 1]
        moving = (removed / total, later / total, walk.previous)
        return np.concatenate([self._static[walk.index], moving]).astype(np.float32)


def scaled_sizes(units: Sequence[Unit]) -> np.ndarray:
    """Index, kind, items, weights per item and weights of units (units, 5), min-max scaled; 0 where all are equal."""
    kinds = kinds_of(units)
    rows = [
        (index, kinds.index(unit.kind), unit.size, unit.weights_per_item, unit.weights)
        for index, unit in enumerate(units)
    ]
    values = np.array(rows, dtype=float)
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    return (values - low) / np.where(span == 0, 1, span)


def kinds_of(units: Sequence[Unit]) -> list[str]:
    """Kinds of units in the order of their first appearance."""
    return list(dict.fromkeys(unit.kind for unit in units))
