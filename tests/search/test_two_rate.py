"""Two rates: the sweep of the budget line and its rounds."""

import numpy as np
import pytest
from budgeted_cases import EPISODES, case, found

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import FFN, MHA, Unit
from sparsitysolver.search.algorithms import two_rate

TWO = [
    Unit(f"layers.{i // 2}.{kind}", kind, i // 2, 16, 40 if kind == MHA else 80)
    for i, kind in enumerate([MHA, FFN] * 4)
]


def two_losses(kept, windows):
    """Lowest where attention keeps 11 of 16."""
    return np.full(len(windows), 2.0 + ((np.array(kept[::2]) / 16 - 11 / 16) ** 2).sum())


def test_two_rates_finds_the_best_point_of_the_budget_line(tmp_path):
    problem = case(TWO, two_losses)
    _, records, searched = found("two_rate", tmp_path, problem=problem)
    (kept,) = searched.candidates.values()
    assert kept == min(two_rate.line(problem, 32), key=lambda one: two_losses(one, [0])[0])
    assert records.best.kept == kept


def test_the_line_stays_within_bounds_and_budget():
    problem = case(TWO, two_losses)
    candidates = two_rate.line(problem, 32)
    assert len(candidates) > 8 and all(map(problem.feasible, candidates))
    assert all(8 <= count <= 16 for kept in candidates for count in kept)


def test_every_round_halves_and_costs_alike(tmp_path):
    problem = case(TWO, two_losses)
    _, records, _ = found("two_rate", tmp_path, problem=problem)
    sizes = [episode.tokens // 16 for episode in records.episodes]
    rounds = [sizes.count(size) for size in dict.fromkeys(sizes)]
    assert all(later == (earlier + 1) // 2 for earlier, later in zip(rounds, rounds[1:]))
    costs = [size * count for size, count in zip(dict.fromkeys(sizes), rounds)]
    assert max(costs) <= 1.3 * min(costs) and sum(costs) > 0.9 * EPISODES * 4


def test_two_rates_need_two_kinds():
    with pytest.raises(SparsitySolverError, match="one kind only"):
        two_rate.line(case(), 5)
