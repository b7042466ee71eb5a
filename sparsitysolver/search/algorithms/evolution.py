"""An evolutionary search over preserved ratios, in the sizes of Self-Pruner (arXiv 2502.14413), which it controls for.

Population 30, 10 offspring by crossover and 10 by mutation a generation, 20 generations: 430 evaluations. Self-Pruner
lets a language model make and select the candidates; here it is uniform crossover, Gaussian mutation and tournaments.
Every candidate is put on the budget, which stands for Self-Pruner's constraint on the mean (deviation 88).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sparsitysolver.search.problem import Problem
from sparsitysolver.search.trials import Trials, budgeted


@dataclass(frozen=True)
class EvolutionSettings:
    """Sizes are Self-Pruner's; the operators are ordinary ones. Steps are shares of the range of ratios."""

    population: int = 30
    crossovers: int = 10
    mutations: int = 10
    tournament: int = 2
    mutation_rate: float = 0.3  # of a unit
    mutation_step: float = 0.2
    attempts: int = 10  # at a candidate that is not known yet


SETTINGS = EvolutionSettings()


@dataclass(frozen=True)
class Individual:
    """A candidate and what it earned; ``kept`` are its counts, ``ratios`` the shares that they are of each unit."""

    kept: list[int]
    ratios: np.ndarray
    reward: float
    ppl: float | None = None  # None where the reward is no perplexity's


class Operators(Protocol):
    """Who makes candidates: each returns at most so many, as preserved ratios (units,) not yet on the budget."""

    def first(self, count: int) -> Sequence[np.ndarray]:
        """The first population."""

    def cross(self, population: Sequence[Individual], count: int) -> Sequence[np.ndarray]:
        """Offspring of two parents each."""

    def mutate(self, population: Sequence[Individual], count: int) -> Sequence[np.ndarray]:
        """Changed copies of parents."""


def evolve(trials: Trials, operators: Operators, settings: EvolutionSettings = SETTINGS) -> None:
    """Generations until the budget is spent: offspring join their parents, and the best of all live on."""
    population = _scored(trials, operators.first(settings.population))
    while True:
        offspring = [
            *operators.cross(population, settings.crossovers),
            *operators.mutate(population, settings.mutations),
        ]
        population = sorted([*population, *_scored(trials, offspring)], key=lambda one: -one.reward)
        population = population[: settings.population]


def _scored(trials: Trials, candidates: Sequence[np.ndarray]) -> list[Individual]:
    scored = []
    for wanted in candidates:
        kept = trials.problem.fit(wanted)
        episode = trials.score(kept)
        scored.append(Individual(kept, trials.problem.ratios(kept), episode.reward, episode.ppl))
    return scored


class Arithmetic:
    """Uniform crossover and Gaussian mutation; a candidate that was there before is tried again a few times."""

    def __init__(self, problem: Problem, seed: int, settings: EvolutionSettings = SETTINGS) -> None:
        self._problem, self._settings = problem, settings
        self._rng = np.random.default_rng(seed)
        self._seen: set[tuple[int, ...]] = set()

    def first(self, count: int) -> list[np.ndarray]:
        """Uniform ratios, then random ones."""
        bounds, units = self._problem.bounds, len(self._problem.units)
        others = [self._new(lambda: self._rng.uniform(bounds.lower, bounds.upper, units)) for _ in range(count - 1)]
        return [self._problem.uniform, *others]

    def cross(self, population: Sequence[Individual], count: int) -> list[np.ndarray]:
        """Every unit from one of two parents, at random."""

        def child() -> np.ndarray:
            one, other = self._parent(population), self._parent(population)
            return np.where(self._rng.random(len(one.ratios)) < 0.5, one.ratios, other.ratios)

        return [self._new(child) for _ in range(count)]

    def mutate(self, population: Sequence[Individual], count: int) -> list[np.ndarray]:
        """Some units moved by a normal step."""
        bounds, settings = self._problem.bounds, self._settings
        step = settings.mutation_step * (bounds.upper - bounds.lower)

        def child() -> np.ndarray:
            ratios = self._parent(population).ratios
            moved = self._rng.random(len(ratios)) < settings.mutation_rate
            return np.clip(ratios + moved * self._rng.normal(0, step, len(ratios)), bounds.lower, bounds.upper)

        return [self._new(child) for _ in range(count)]

    def _parent(self, population: Sequence[Individual]) -> Individual:
        drawn = self._rng.integers(len(population), size=self._settings.tournament)
        return max((population[index] for index in drawn), key=lambda one: one.reward)

    def _new(self, make: Callable[[], np.ndarray]) -> np.ndarray:
        for _ in range(self._settings.attempts):
            wanted = make()
            kept = tuple(self._problem.fit(wanted))
            if kept not in self._seen:
                break
        self._seen.add(kept)
        return wanted


@budgeted
def run(trials: Trials, seed: int) -> None:
    """Evolve by arithmetic operators."""
    evolve(trials, Arithmetic(trials.problem, seed))
