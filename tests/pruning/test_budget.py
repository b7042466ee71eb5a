"""Algorithm 1 on examples computed by hand, and what both budget rules promise for any action."""

import numpy as np
import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.shape import Shape
from sparsitysolver.pruning.budget import (
    BUDGETS,
    Bounds,
    budget_rule,
    check_bounds,
    default_bounds,
    greedy,
    projection,
    ratios,
    walked,
)
from sparsitysolver.pruning.units import Unit, achieved_sparsity, budget, kept_weights, structured_units

# Two layers of 4 heads with 100 weights and 10 neurons with 60: 2000 weights, 1600 of them left at P = 0.2.
UNITS = [
    Unit(f"u{i}", kind, i // 2, size, weights)
    for i, (kind, size, weights) in enumerate([("mha", 4, 100), ("ffn", 10, 60)] * 2)
]
HALF = Bounds(0.5, 1.0)
OPT_125M = Shape("opt", 12, 768, groups=12, heads_per_group=1, head_dim=64, ffn=3072, ffn_inputs=1)


def random_case(rng):
    """Random units, sparsity, bounds and raw action."""
    units = [
        Unit(f"u{i}", "any", i, int(rng.integers(1, 40)), int(rng.integers(1, 5000))) for i in range(rng.integers(1, 9))
    ]
    sparsity = float(rng.choice([0.1, 0.2, 0.3, 0.5, 0.7, round(float(rng.uniform(0.05, 0.95)), 3)]))
    lower = float(rng.uniform(0, 1 - sparsity))
    bounds = Bounds(lower, float(rng.uniform(1 - sparsity, 1)))
    return units, sparsity, bounds, rng.normal(0, 2, len(units))


@pytest.mark.parametrize(
    ("wanted", "sparsity", "bounds", "kept"),
    [
        # Everything wanted of a budget of 1600: early units get it, unit 2 takes the cut, the last keeps its a_min.
        # Caps: (1600 - 800) / 100 = 8, (1600 - 400 - 500) / 60 = 11, (1600 - 1000 - 300) / 100 = 3, 300 / 60 = 5.
        ([1] * 4, 0.2, HALF, [4, 10, 3, 5]),
        # The cap is one-sided: a strategy below the budget stays below it, nothing is filled up.
        ([0.5] * 4, 0.2, HALF, [2, 5, 2, 5]),
        # Wishes are rounded to whole items.
        ([0.6, 0.66, 0.65, 0.54], 0.2, HALF, [2, 7, 3, 5]),
        # A cap below one item is floored: unit 2 may keep (1500 - 1000 - 270) / 100 = 2.3 heads.
        ([1] * 4, 0.25, Bounds(0.45, 1.0), [4, 10, 2, 5]),
    ],
)
def test_the_wall_by_hand(wanted, sparsity, bounds, kept):
    assert greedy(np.array(wanted), UNITS, sparsity, bounds) == kept


def test_exact_decimal_budgets():
    """0.8 * 2000 is 1600 and not 1599, and 0.7 * 10 items is 7."""
    assert budget(UNITS, 0.2) == 1600 == kept_weights(UNITS, [4, 10, 3, 5])
    assert greedy(np.ones(1), [Unit("u", "ffn", 0, 10, 1)], 0.3, Bounds(0.3)) == [7]


@pytest.mark.parametrize("rule", BUDGETS)
def test_never_above_the_budget_nor_below_zero(rule):
    """And greedy gives no more than is wanted; the projection leaves less than the smallest item that fits."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        units, sparsity, bounds, action = random_case(rng)
        wanted = ratios(action, bounds)
        kept = budget_rule(rule)(wanted, units, sparsity, bounds)
        assert all(isinstance(count, int) and 0 <= count <= unit.size for count, unit in zip(kept, units, strict=True))
        slack = budget(units, sparsity) - kept_weights(units, kept)
        assert slack >= 0
        if rule == "greedy":
            assert all(count <= np.rint(ratio * unit.size) for count, ratio, unit in zip(kept, wanted, units))
        else:
            limits = [int(bounds.upper * unit.size + 1e-9) for unit in units]
            assert all(u.weights_per_item > slack for u, count, limit in zip(units, kept, limits) if count < limit)


def test_line_one_as_corrected_reaches_both_ends():
    assert ratios(np.array([-20.0, 20.0]), HALF).tolist() == [0.5, 1.0]
    assert ratios(np.array([0.8]), HALF)[0] < 1.0


def test_line_one_as_printed_reaches_neither():
    """tanh(A + 1) / 2 lies in (-0.5, 0.5): ratios in 0.5 ± 0.3 for (0.5, 1), and clipped at 0 for (0.1, 1)."""
    assert np.allclose(ratios(np.array([-20.0, -1.0, 20.0]), HALF, literal=True), [0.2, 0.5, 0.8])
    assert np.allclose(ratios(np.array([-20.0, 20.0]), Bounds(0.1), literal=True), [0.0, 0.6])


def test_default_bounds_stop_at_zero():
    assert default_bounds(0.7) == Bounds(0.0, 1.0, 0.3)
    assert default_bounds(0.5, upper=0.7) == Bounds(0.2, 0.7)
    assert default_bounds(0.45) == Bounds(0.0, 1.0)  # the last that needs no shift
    assert [default_bounds(sparsity) for sparsity in (0.1, 0.2, 0.3)] == [Bounds(0.7), Bounds(0.5), Bounds(0.3)]


@pytest.mark.parametrize("sparsity", [0.01, 0.1, 0.2, 0.3, 0.45, 0.46, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
def test_action_zero_is_the_budget_at_any_sparsity(sparsity):
    """Every unit asks for 1 - P, and the wall at the end takes no more than what rounding to whole items adds up to."""
    units = structured_units(OPT_125M)
    bounds = default_bounds(sparsity)
    wanted = ratios(np.zeros(24), bounds)
    assert np.allclose(wanted, 1 - sparsity, atol=1e-12)
    kept = greedy(wanted, units, sparsity, bounds)
    asked = [round((1 - sparsity) * unit.size) for unit in units]
    if sparsity in (0.1, 0.2, 0.3):
        projected = achieved_sparsity(units, projection(wanted, units, sparsity, bounds))
        assert projected == pytest.approx(sparsity, abs=1e-4)
    over = kept_weights(units, asked) - budget(units, sparsity)
    cut = kept_weights(units, asked) - kept_weights(units, kept)
    assert max(0, over) <= cut < max(0, over) + units[0].weights_per_item


@pytest.mark.parametrize("sparsity", [0.5, 0.6, 0.7])
def test_at_the_start_every_unit_keeps_its_share(sparsity):
    """Units fine enough that rounding is small: without the shift the last ones would be left with next to nothing."""
    units = [Unit(f"u{index}", "ffn", index, 256, 10) for index in range(20)]
    bounds = default_bounds(sparsity)
    kept = np.array(greedy(ratios(np.zeros(20), bounds), units, sparsity, bounds))
    share = (1 - sparsity) * 256
    assert (abs(kept[:-1] - share) <= 0.5).all() and abs(kept[-1] - share) <= 0.5 * 20
    assert greedy(ratios(np.zeros(20), Bounds(0.0, 1.0)), units, sparsity, bounds)[-1] == 0


@pytest.mark.parametrize("sparsity", [0.5, 0.6, 0.7, 0.9])
def test_shifted_actions_still_reach_both_ends_in_order(sparsity):
    bounds = default_bounds(sparsity)
    asked = ratios(np.linspace(-20, 20, 401), bounds)
    assert asked[0] == pytest.approx(0) and asked[-1] == 1 and (np.diff(asked) >= 0).all()
    walks = [walked(ratio, bounds) for ratio in np.linspace(0, 1, 11)]
    assert walks[0] == pytest.approx(0) and walks[-1] == pytest.approx(1) and (np.diff(walks) > 0).all()
    assert 1 - sparsity - 0.05 <= walks[5] <= 1 - sparsity  # the middle, where an untrained agent stands


def test_bounds_that_are_given_shift_nothing():
    action = np.random.default_rng(0).normal(0, 1, 50)
    for bounds in (Bounds(0.0, 1.0), Bounds(0.3, 1.0), default_bounds(0.2)):
        expected = np.clip((np.tanh(action) + 1) / 2 * (bounds.upper - bounds.lower + 0.1) + bounds.lower, 0, 1)
        assert (ratios(action, bounds) == expected).all()
        assert walked(0.4, bounds) == 0.4


def test_projection_keeps_the_order_of_wishes():
    rng = np.random.default_rng(3)
    units = [Unit(f"u{i}", "ffn", i, 50, 7) for i in range(12)]
    for _ in range(50):
        wanted = ratios(rng.normal(0, 1, 12), HALF)
        kept = projection(wanted, units, 0.2, HALF)
        assert all(kept[a] >= kept[b] for a in range(12) for b in range(12) if wanted[a] > wanted[b])
        assert max(kept) > min(kept)


def test_projection_fills_up_what_greedy_leaves():
    assert kept_weights(UNITS, projection(np.full(4, 0.5), UNITS, 0.2, HALF)) > 1500


@pytest.mark.parametrize(
    "bounds", [Bounds(0.81, 1.0), Bounds(0.5, 0.79), Bounds(-0.1, 1.0), Bounds(0.5, 1.1), Bounds(float("nan"), 1.0)]
)
def test_bounds_that_cannot_meet_the_budget(bounds):
    with pytest.raises(SparsitySolverError, match=r"a_min = .* a_max = .* at sparsity 0\.2: 0 <= a_min <= 0\.8 <= a_"):
        check_bounds(bounds, 0.2)


def test_bounds_at_the_edge_are_fine_and_rules_have_names():
    assert check_bounds(Bounds(0.8, 0.8), 0.2) == Bounds(0.8, 0.8)
    with pytest.raises(SparsitySolverError, match="unknown budget rule 'gredy'; did you mean greedy"):
        budget_rule("gredy")
