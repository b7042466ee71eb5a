"""Random search: preserved ratios drawn uniformly within the bounds, put on the budget. What every search must beat."""

import numpy as np

from sparsitysolver.records.files import Json
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.searched import Searched
from sparsitysolver.search.trials import Trials, search


def run(problem: Problem, journal: Journal, episodes: int, seed: int) -> Searched:
    """Search for ``episodes`` episodes."""
    rng, bounds = np.random.default_rng(seed), problem.bounds

    def propose(trials: Trials) -> None:
        while True:
            trials.score(problem.fit(rng.uniform(bounds.lower, bounds.upper, len(problem.units))))

    search(problem, journal, episodes, propose)
    return Searched()


def record() -> Json:
    """It has no settings."""
    return {}
