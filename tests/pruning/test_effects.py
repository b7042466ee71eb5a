"""Effects of single units and the allocation that they imply, against enumeration."""

import itertools

import numpy as np
import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.effects import Effect, cheapest, hull
from sparsitysolver.pruning.units import Unit, budget, kept_weights

UNITS = [Unit("a", "mha", 0, 4, 50), Unit("b", "ffn", 0, 20, 10), Unit("c", "ffn", 1, 20, 10)]


def quadratic(unit, cost):
    """cost * (removed share)^2 at every count."""
    return Effect.of({count: cost * (1 - count / unit.size) ** 2 for count in range(unit.size + 1)})


def total(effects, kept):
    return sum(effect(count) for effect, count in zip(effects, kept, strict=True))


@pytest.mark.parametrize("sparsity", ["0.1", "0.25", "0.5", "0.8"])
@pytest.mark.parametrize("costs", [(1, 1, 1), (5, 1, 0.2), (0.1, 3, 2)])
def test_no_other_allocation_within_the_budget_is_better_by_more_than_one_item(costs, sparsity):
    effects = [quadratic(unit, cost) for unit, cost in zip(UNITS, costs, strict=True)]
    room = budget(UNITS, float(sparsity))
    kept = cheapest(effects, UNITS, room)
    assert room - max(unit.weights_per_item for unit in UNITS) < kept_weights(UNITS, kept) <= room
    best = min(
        total(effects, counts)
        for counts in itertools.product(*(range(unit.size + 1) for unit in UNITS))
        if kept_weights(UNITS, counts) <= room
    )
    # What one more item would bring at most: the price of whole items.
    step = max(effect(count) - effect(count + 1) for effect, count in zip(effects, kept, strict=True))
    assert best <= total(effects, kept) <= best + step + 1e-12


def test_an_exact_budget_is_solved_exactly():
    """By hand: equal items, and the budget of 20 goes where the curve is steepest."""
    effects = [Effect.of({0: 0.0, 20: 0.0}), Effect.of({0: 2.0, 10: 0.5, 20: 0.0}), Effect.of({0: 1.2, 20: 0.0})]
    units = [Unit(name, "ffn", 0, 20, 10) for name in "abc"]
    assert cheapest(effects, units, 300) == [0, 10, 20]  # an item brings 0.15, then 0.06; 0.05 and 0 come too late
    assert cheapest(effects, units, 100) == [0, 10, 0]
    assert cheapest(effects, units, 600) == [20, 20, 20]


def test_a_dent_in_the_curve_is_bridged():
    segments = hull(0, Effect.of({0: 1.0, 5: 0.9, 10: 0.0}), 2)
    assert [(segment.items, segment.slope) for segment in segments] == [(10, pytest.approx(-0.05))]


def test_broken_models_are_left_out():
    assert Effect.of({0: float("inf"), 3: 0.5, 6: 0.0, 9: float("nan")}).counts == (3, 6)


def test_interpolation_and_another_origin():
    effect = Effect.of({2: 1.0, 4: 0.0, 8: -0.4})
    assert (effect(3), effect(6), effect(0), effect(10)) == (0.5, pytest.approx(-0.2), 1.0, -0.4)
    assert effect.seen_from(3).changes == pytest.approx((0.5, -0.5, -0.9))


def test_a_wider_effect_joins_without_a_step():
    narrow, wide = Effect.of({4: 0.1, 6: -0.1}), Effect.of({0: 3.0, 2: 1.0, 5: 0.0, 8: -0.3})
    joined = narrow.widened(wide)
    assert joined.counts == (0, 2, 4, 6, 8)
    at = wide(4)
    assert joined(0) == pytest.approx(0.1 + 3.0 - at) and joined(2) == pytest.approx(0.1 + 1.0 - at)
    assert joined(8) == pytest.approx(-0.1 - 0.3 - wide(6))


def test_a_budget_below_the_measured_counts_is_refused():
    effects = [Effect.of({unit.size // 2: 1.0, unit.size: 0.0}) for unit in UNITS]
    with pytest.raises(SparsitySolverError, match=r"a sparsity of at most 0\.5000"):
        cheapest(effects, UNITS, budget(UNITS, 0.6))
    assert np.array_equal(cheapest(effects, UNITS, budget(UNITS, 0.5)), [2, 10, 10])
