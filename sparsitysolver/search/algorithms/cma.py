"""CMA-ES over preserved ratios (Hansen and Ostermeier 2001), by the package ``cma``.

With a constant state the paper's PPO is in effect an evolution strategy with a diagonal Gaussian; this is the standard
one with a full covariance matrix. Ratios are put on the budget after they are drawn.
"""

from types import SimpleNamespace

import cma
import numpy as np

from sparsitysolver.records.files import Json
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.trials import Trials, budgeted, loss

BROKEN = 1e9  # stands for an infinite loss: the package refuses infinities
SETTINGS = SimpleNamespace(initial_step=0.25)  # of the range of ratios; population and rates are the package's own


@budgeted
def run(trials: Trials, seed: int) -> None:
    """Start from uniform ratios, and anew from the best where it has converged."""
    problem = trials.problem
    if problem.settled:  # the package refuses a range of nothing, and a single dimension
        trials.score(problem.fit(problem.uniform))
        return
    strategy = _strategy(problem, problem.uniform, seed)
    while True:
        drawn = strategy.ask()
        losses = [loss(trials.score(problem.fit(ratios))) for ratios in drawn]
        strategy.tell(drawn, np.minimum(losses, BROKEN).tolist())
        if strategy.stop():
            strategy = _strategy(problem, strategy.result.xbest, seed + len(trials.journal.episodes))


def _strategy(problem: Problem, start: np.ndarray, seed: int) -> cma.CMAEvolutionStrategy:
    lower, upper = problem.bounds.lower, problem.bounds.upper
    options = {"seed": seed + 1, "bounds": [lower, upper], "verbose": -9}  # the package takes seed 0 for the clock
    return cma.CMAEvolutionStrategy(start, SETTINGS.initial_step * (upper - lower), options)


def record() -> Json:
    """Its implementation is the package's."""
    return {"cma": cma.__version__}
