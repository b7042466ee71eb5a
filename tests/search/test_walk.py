"""The walk over the units: its wall, its states, and what transitions within an episode are worth."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from search_cases import UNITS, problem
from stable_baselines3.common.env_checker import check_env

from sparsitysolver.pruning.budget import Bounds, default_bounds, greedy
from sparsitysolver.pruning.units import FFN, MHA, Unit, budget, kept_weights
from sparsitysolver.search.ddpg import WalkBuffer
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.walk import UnitFeatures, Walk, WalkEnvironment

pytestmark = pytest.mark.filterwarnings("ignore")

# 4 heads of 30 weights and 10 neurons of 8, twice: 400 weights in all.
PAIRS = [
    Unit("layers.0.mha", MHA, 0, 4, 30),
    Unit("layers.0.ffn", FFN, 0, 10, 8),
    Unit("layers.1.mha", MHA, 1, 4, 30),
    Unit("layers.1.ffn", FFN, 1, 10, 8),
]
HALF = Bounds(0.5, 1.0)


def walk_over(units, sparsity=0.2, bounds=HALF):
    return Walk(Problem(units, sparsity, bounds, greedy, objective=None))


def environment(evaluate=lambda kept: 1.0):
    return WalkEnvironment(problem(units=PAIRS), UnitFeatures(PAIRS), evaluate)


# --- the wall ------------------------------------------------------------------------------------------------------


def test_the_wall_by_hand():
    """Budget 320 of 400. Unit 0: 320 - (80 + 120 + 80)/2 = 180 weights, more than it has. Unit 1: 320 - 120 - 100 =
    100, more than it has. Unit 2: 320 - 200 - 40 = 80 of 120: two heads of 30. Unit 3: 320 - 260 = 60: 7 neurons."""
    walk = walk_over(PAIRS)
    for ratio, count in ((1.0, 4), (1.0, 10), (1.0, 2), (1.0, 7)):
        walk.keep(ratio)
        assert walk.kept[-1] == count
    assert walk.done and walk.spent == 4 * 30 + 10 * 8 + 2 * 30 + 7 * 8 == 316


@pytest.mark.parametrize(
    ("asked", "kept", "previous"),
    [([0.1], [2], 0.5), ([0.6, 0.66], [2, 7], 0.7)],  # lifted to the lower bound; 2.4 heads and 6.6 neurons rounded
)
def test_ratios_are_lifted_and_rounded_to_whole_items(asked, kept, previous):
    walk = walk_over(PAIRS)
    for ratio in asked:
        walk.keep(ratio)
    assert walk.kept == kept and walk.previous == previous


@pytest.mark.parametrize("sparsity", [0.2, 0.45, 0.5, 0.6, 0.7, 0.9])
def test_an_untrained_walk_leaves_the_wall_alone(sparsity):
    """An agent begins in the middle of its range: every unit gets what it asks for, the last ones too."""
    bounds = default_bounds(sparsity)
    units = [Unit(f"u{index}", FFN, index, 1000, 4) for index in range(12)]
    walk = walk_over(units, sparsity, bounds)
    while not walk.done:
        walk.keep((bounds.lower + bounds.upper) / 2)
    assert len(set(walk.kept)) == 1 and 950 - 1000 * sparsity <= walk.kept[0] <= 1000 - 1000 * sparsity


def random_problem(rng):
    units = [
        Unit(f"u{i}", str(rng.choice(["mha", "ffn"])), i, int(rng.integers(1, 60)), int(rng.integers(1, 500)))
        for i in range(rng.integers(1, 12))
    ]
    sparsity = round(float(rng.uniform(0.05, 0.9)), 3)
    return units, sparsity, Bounds(rng.uniform(0, 1 - sparsity), rng.uniform(1 - sparsity, 1))


def test_walks_within_the_budget_reach_the_strategies_of_algorithm_1():
    """They never exceed it, nor fall below the lower bound, and their states lie between 0 and 1.

    For ratios within the bounds the walk ends where the cap of lines 7 to 10 does.
    """
    rng = np.random.default_rng(0)
    for number in range(400):
        units, sparsity, bounds = random_problem(rng)
        least, most = (0, 1) if number % 2 else (bounds.lower, bounds.upper)
        ratios = rng.uniform(least, most, len(units))
        observe, walk = UnitFeatures(units), walk_over(units, sparsity, bounds)
        assert observe.space.contains(observe(walk))
        for unit, ratio in zip(units, ratios, strict=True):
            walk.keep(ratio)
            assert np.floor(bounds.lower * unit.size - 1e-9) <= walk.kept[-1] <= unit.size
            assert observe.space.contains(observe(walk))
        assert kept_weights(units, walk.kept) == walk.spent <= budget(units, sparsity)
        assert number % 2 or walk.kept == greedy(ratios, units, sparsity, bounds)


# --- states --------------------------------------------------------------------------------------------------------


def test_states_by_hand():
    """Index, kind, items, weights per item, weights; removed, later, previous ratio."""
    observe, walk = UnitFeatures(PAIRS), walk_over(PAIRS)
    assert observe(walk) == pytest.approx([0, 0, 0, 1, 1, 0, 280 / 400, 1])
    walk.keep(0.75)  # 3 of 4 heads: 30 of 400 weights go
    assert observe(walk) == pytest.approx([1 / 3, 1, 1, 0, 0, 30 / 400, 200 / 400, 0.75])
    walk.keep(0.5)  # 5 of 10 neurons: 40 more
    assert observe(walk) == pytest.approx([2 / 3, 0, 0, 1, 1, 70 / 400, 80 / 400, 0.5])
    walk.keep(1.0)
    assert observe(walk) == pytest.approx([1, 1, 1, 0, 0, 70 / 400, 0, 1])
    walk.keep(0.5)  # the last unit stays in sight
    assert observe(walk) == pytest.approx([1, 1, 1, 0, 0, 110 / 400, 0, 0.5])


def test_equal_units_have_no_spread_to_scale():
    assert np.isfinite(UnitFeatures(UNITS)(walk_over(UNITS))).all()


# --- the environment -----------------------------------------------------------------------------------------------


def test_the_environment_is_a_proper_gymnasium_one():
    check_env(environment(), warn=False)


def test_an_episode_is_a_walk_rewarded_at_its_end():
    seen = []
    env = environment(evaluate=lambda kept: seen.append(list(kept)) or 0.25)
    assert (env.action_space.low, env.action_space.high) == (0.5, 1.0)
    first, _ = env.reset()
    rewards, ends = [], []
    for _ in PAIRS:
        _, reward, terminated, truncated, _ = env.step(np.array([1.0], dtype=np.float32))
        rewards.append(reward)
        ends.append((terminated, truncated))
    assert rewards == [0, 0, 0, 0.25]
    assert ends == [(False, False)] * 3 + [(True, False)]
    assert seen == [[4, 10, 2, 7]]
    assert (env.reset()[0] == first).all()


# --- replay --------------------------------------------------------------------------------------------------------


def fill(buffer, episodes):
    """Add episodes, each a list of rewards."""
    for rewards in episodes:
        for step, reward in enumerate(rewards):
            state = np.full((1, 2), step, dtype=np.float32)
            done = np.array([step == len(rewards) - 1])
            buffer.add(state, state, np.zeros((1, 1), dtype=np.float32), np.array([reward]), done, [{}])
    return buffer


def new_buffer(broadcast, size=9):
    return WalkBuffer(size, spaces.Box(0, 9, (2,)), spaces.Box(-1, 1, (1,)), device="cpu", broadcast=broadcast)


@pytest.mark.parametrize(
    ("broadcast", "size", "episodes", "rewards"),
    [
        (False, 9, [[0, 0, 0.5], [0, 0, 0.25]], [0, 0, 0.5, 0, 0, 0.25, 0, 0, 0]),
        (True, 9, [[0, 0, 0.5], [0, 0, 0.25]], [0.5] * 3 + [0.25] * 3 + [0] * 3),
        # Around the end of the buffer: the third episode lies at 8, 0 and 1.
        (True, 9, [[0, 0, 0, 0.5], [0, 0, 0, 0.25], [0, 0, 0.75]], [0.75] * 2 + [0.5] * 2 + [0.25] * 4 + [0.75]),
        (True, 3, [[0, 0, 0.5], [0, 0, 0.25]], [0.25] * 3),  # an episode as long as the buffer fills it
    ],
)
def test_terminal_rewards_stay_and_broadcast_ones_are_of_the_whole_episode(broadcast, size, episodes, rewards):
    buffer = fill(new_buffer(broadcast, size), episodes)
    assert buffer.rewards[:, 0].tolist() == rewards
    ends = np.cumsum([len(one) for one in episodes]) - 1
    assert buffer.dones[ends % size, 0].all()


def test_the_moving_average_is_subtracted_from_a_batch():
    """It begins at the first batch's mean, then moves half-way to each next one; the memory itself is unchanged."""
    buffer = fill(new_buffer(True), [[0, 0.5]])
    assert buffer.sample(4).rewards.flatten().tolist() == [0.0] * 4
    fill(buffer, [[0, 1.0]])
    np.random.seed(0)  # noqa: NPY002
    batch = buffer.sample(1000).rewards
    share = (batch > batch.min()).float().mean().item()  # of rewards that are 1, not 0.5
    mean = 0.5 + 0.5 * share
    assert buffer.average == pytest.approx(0.5 + 0.5 * (mean - 0.5))
    assert sorted(set(batch.flatten().tolist())) == pytest.approx([0.5 - buffer.average, 1 - buffer.average])
    assert buffer.rewards[:4, 0].tolist() == [0.5, 0.5, 1, 1]


@pytest.mark.parametrize("broadcast", [False, True])
@pytest.mark.parametrize("episodes", [2, 4])
def test_a_restored_buffer_goes_on_as_the_saved_one(broadcast, episodes):
    saved = fill(new_buffer(broadcast), [[0, 0, 0.1 * number] for number in range(episodes)])
    saved.sample(3)
    restored = new_buffer(broadcast)
    restored.restore(saved.state())
    for buffer in (saved, restored):
        fill(buffer, [[0, 0, 0.9]])
    draws = []
    for buffer in (saved, restored):
        np.random.seed(0)  # noqa: NPY002
        draws.append(buffer.sample(20))
    assert all(torch.equal(one, other) for one, other in zip(*(draw[:5] for draw in draws), strict=True))
