"""Random search: preserved ratios drawn uniformly within the bounds, put on the budget. What every search must beat."""

import numpy as np

from sparsitysolver.search.trials import Trials, budgeted


@budgeted
def run(trials: Trials, seed: int) -> None:
    """Draw until the budget is spent; there is nothing to set."""
    problem, rng = trials.problem, np.random.default_rng(seed)
    while True:
        trials.score(problem.fit(rng.uniform(problem.bounds.lower, problem.bounds.upper, len(problem.units))))
