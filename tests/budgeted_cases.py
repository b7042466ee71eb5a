"""Searches that spend a budget of evaluated tokens, and a problem of known optimum for them."""

import numpy as np
import torch
from search_cases import UNITS, journal, synthetic_losses

from sparsitysolver.pruning.budget import default_bounds, projection
from sparsitysolver.search.algorithms import algorithm
from sparsitysolver.search.problem import Problem, perplexity_objective

PAIRED = ("random", "cma", "evolution", "evopress", "tpe", "fastforward", "surrogate")
ALL = (*PAIRED, "two_rate")
EPISODES = 300


def over(windows, losses=synthetic_losses):
    return perplexity_objective(losses, torch.zeros(windows, 16, dtype=torch.long), "inverse_ppl", float(np.exp(2.0)))


def case(units=UNITS, losses=synthetic_losses, most=10_000):
    """Eight units of known cost, of which the last three matter; 4 windows of 16 tokens."""
    return Problem(
        units, 0.2, default_bounds(0.2), projection, over(4, losses), sized=lambda n: over(n, losses), most=most
    )


def found(name, folder, seed=0, problem=None, episodes=EPISODES):
    problem, records = problem or case(), journal(folder, name)
    searched = algorithm(name).run(problem, records, episodes, seed)
    return problem, records, searched
