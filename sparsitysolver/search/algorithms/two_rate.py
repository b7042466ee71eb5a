"""Two rates: one preserved ratio for all of attention, one for all of the FFN, on the budget line.

The line has one dimension, so a few evaluations sweep it. What is left of the budget goes into certainty: the better
half of the candidates meets twice the windows, again and again (successive halving, Jamieson and Talwalkar 2016).
"""

from types import SimpleNamespace

import numpy as np

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.search.problem import Problem, SearchResult
from sparsitysolver.search.trials import Trials, budgeted

SETTINGS = SimpleNamespace(points=32)  # of the first sweep at most: no more than the budget has evaluations


def line(problem: Problem, points: int) -> list[list[int]]:
    """Different candidates, spread evenly over the part of the budget line that lies within the bounds."""
    weights = np.array([unit.weights for unit in problem.units], dtype=float)
    attention = np.array([unit.attention for unit in problem.units])
    inside, outside = weights[attention].sum(), weights[~attention].sum()
    if not (inside and outside):
        raise SparsitySolverError("two_rate needs units of attention and of the FFN; this model has one kind only.")
    bounds, whole = problem.bounds, (1 - problem.sparsity) * (inside + outside)
    low = max(bounds.lower, (whole - bounds.upper * outside) / inside)
    high = min(bounds.upper, (whole - bounds.lower * outside) / inside)
    fitted = [
        tuple(problem.fit(np.where(attention, rate, (whole - rate * inside) / outside)))
        for rate in np.linspace(low, high, points)
    ]
    return [list(kept) for kept in dict.fromkeys(fitted)]


def halve(trials: Trials, candidates: list[list[int]]) -> list[int]:
    """The best candidate after rounds that cost alike, each with half the candidates on twice the windows."""
    rounds = max(1, len(candidates).bit_length() - 1)
    while True:
        windows = trials.left // (rounds * trials.unit * len(candidates))
        scored = [(trials.score(kept, max(1, windows)).reward, kept) for kept in candidates]
        ranked = [kept for _, kept in sorted(scored, key=lambda pair: -pair[0])]
        rounds -= 1
        if rounds == 0:
            return ranked[0]
        candidates = ranked[: (len(ranked) + 1) // 2]


@budgeted
def run(trials: Trials, seed: int) -> SearchResult:
    """Sweep the line, then halve; there is nothing random in it."""
    points = min(SETTINGS.points, trials.episodes)
    return SearchResult({"two_rate": halve(trials, line(trials.problem, points))})
