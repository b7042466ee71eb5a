"""An evolutionary search over preserved ratios, in the sizes of Self-Pruner (arXiv 2502.14413), which it controls for.

Population 30, 10 offspring by crossover and 10 by mutation a generation, 20 generations: 430 evaluations. Self-Pruner
lets a language model make and select the candidates; here it is uniform crossover, Gaussian mutation and tournaments.
Every candidate is put on the budget, which stands for Self-Pruner's constraint on the mean (deviation 88).
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np

from sparsitysolver.search.journal import Episode
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.trials import Trials, budgeted

SETTINGS = SimpleNamespace(  # sizes are Self-Pruner's; the operators are ordinary ones
    population=30,
    crossovers=10,
    mutations=10,
    tournament=2,
    mutation_rate=0.3,  # of a unit
    mutation_step=0.2,  # of the range of ratios
    attempts=10,  # at a candidate that is not known yet
)
Offspring = Callable[[Sequence[Episode], int], Sequence[np.ndarray]]


def evolve(trials: Trials, first: Callable[[int], Sequence[np.ndarray]], cross: Offspring, mutate: Offspring) -> None:
    """Generations until the budget is spent: offspring join their parents, and the best of all live on.

    ``first``, ``cross`` (of two parents each) and ``mutate`` return at most so many candidates, as preserved ratios
    (units,) that are not yet on the budget.
    """

    def scored(candidates: Sequence[np.ndarray]) -> list[Episode]:
        return [trials.score(trials.problem.fit(wanted)) for wanted in candidates]

    population = scored(first(SETTINGS.population))
    while True:
        crossed = cross(population, SETTINGS.crossovers)
        offspring = scored([*crossed, *mutate(population, SETTINGS.mutations)])
        population = sorted([*population, *offspring], key=lambda one: -one.reward)[: SETTINGS.population]


class Arithmetic:
    """Uniform crossover and Gaussian mutation; a candidate that was there before is tried again a few times."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem, self._rng = problem, np.random.default_rng(seed)
        self._seen: set[tuple[int, ...]] = set()

    def first(self, count: int) -> list[np.ndarray]:
        """Uniform ratios, then random ones."""
        bounds, units = self._problem.bounds, len(self._problem.units)
        others = [self._new(lambda: self._rng.uniform(bounds.lower, bounds.upper, units)) for _ in range(count - 1)]
        return [self._problem.uniform, *others]

    def cross(self, population: Sequence[Episode], count: int) -> list[np.ndarray]:
        """Every unit from one of two parents, at random."""

        def child() -> np.ndarray:
            one, other = self._parent(population), self._parent(population)
            return np.where(self._rng.random(len(one)) < 0.5, one, other)

        return [self._new(child) for _ in range(count)]

    def mutate(self, population: Sequence[Episode], count: int) -> list[np.ndarray]:
        """Some units moved by a normal step."""
        bounds = self._problem.bounds
        step = SETTINGS.mutation_step * (bounds.upper - bounds.lower)

        def child() -> np.ndarray:
            ratios = self._parent(population)
            moved = self._rng.random(len(ratios)) < SETTINGS.mutation_rate
            return np.clip(ratios + moved * self._rng.normal(0, step, len(ratios)), bounds.lower, bounds.upper)

        return [self._new(child) for _ in range(count)]

    def _parent(self, population: Sequence[Episode]) -> np.ndarray:
        """Ratios of the best of a few that are drawn."""
        drawn = self._rng.integers(len(population), size=SETTINGS.tournament)
        best = max((population[index] for index in drawn), key=lambda one: one.reward)
        return self._problem.ratios(best.kept)

    def _new(self, make: Callable[[], np.ndarray]) -> np.ndarray:
        for _ in range(SETTINGS.attempts):
            wanted = make()
            kept = tuple(self._problem.fit(wanted))
            if kept not in self._seen:
                break
        self._seen.add(kept)
        return wanted


@budgeted
def run(trials: Trials, seed: int) -> None:
    """Evolve by arithmetic operators."""
    operators = Arithmetic(trials.problem, seed)
    evolve(trials, operators.first, operators.cross, operators.mutate)
