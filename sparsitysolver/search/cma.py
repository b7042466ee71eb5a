"""CMA-ES over preserved ratios (Hansen and Ostermeier 2001), by the package ``cma``.

With a constant state the paper's PPO is in effect an evolution strategy with a diagonal Gaussian; this is the standard
one with a full covariance matrix. Ratios are put on the budget after they are drawn.
"""

from dataclasses import asdict, dataclass

import cma
import numpy as np

from sparsitysolver.records.files import Json
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.searched import Searched
from sparsitysolver.search.trials import Trials, loss, search

BROKEN = 1e9  # stands for an infinite loss: the package refuses infinities


@dataclass(frozen=True)
class CMASettings:
    """``initial_step`` is a share of the range of ratios; population and all rates are the package's own."""

    initial_step: float = 0.25


SETTINGS = CMASettings()


def run(problem: Problem, journal: Journal, episodes: int, seed: int) -> Searched:
    """Search for ``episodes`` episodes; starts from uniform ratios, and anew from the best where it has converged."""

    def propose(trials: Trials) -> None:
        if problem.settled:  # the package refuses a range of nothing, and a single dimension
            trials.score(problem.fit(problem.uniform))
            return
        strategy = _strategy(problem, problem.uniform, seed)
        while True:
            drawn = strategy.ask()
            losses = [loss(trials.score(problem.fit(ratios))) for ratios in drawn]
            strategy.tell(drawn, np.minimum(losses, BROKEN).tolist())
            if strategy.stop():
                strategy = _strategy(problem, strategy.result.xbest, seed + len(journal.episodes))

    search(problem, journal, episodes, propose)
    return Searched()


def _strategy(problem: Problem, start: np.ndarray, seed: int) -> cma.CMAEvolutionStrategy:
    lower, upper = problem.bounds.lower, problem.bounds.upper
    options = {"seed": seed + 1, "bounds": [lower, upper], "verbose": -9}  # the package takes seed 0 for the clock
    return cma.CMAEvolutionStrategy(start, SETTINGS.initial_step * (upper - lower), options)


def record() -> Json:
    """The settings as a strategy keeps them."""
    return asdict(SETTINGS) | {"cma": cma.__version__}
