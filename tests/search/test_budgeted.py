"""Searches that spend a budget of evaluated tokens: what they find where the optimum is known; how each works."""

import functools

import numpy as np
import pytest
from search_cases import COSTS, UNITS, found, journal, problem, synthetic_losses

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning import effect_table
from sparsitysolver.pruning.budget import projection
from sparsitysolver.pruning.effects import Effect, cheapest
from sparsitysolver.pruning.units import FFN, MHA, Unit, budget
from sparsitysolver.search.algorithms import evopress, fastforward, two_rate
from sparsitysolver.search.algorithms.evolution import Arithmetic, evolve
from sparsitysolver.search.journal import Episode, anytime, read_curve
from sparsitysolver.search.trials import BudgetSpent, Trials

# Share of the way from uniform to the best possible perplexity that each must gain.
LEAST = {
    "surrogate": 0.999,
    "evopress": 0.99,
    "cma": 0.99,
    "tpe": 0.97,
    "fastforward": 0.97,
    "evolution": 0.97,
    "random": 0.0,
}
EPISODES, ROOM = 300, 0.8 * 8 * 40
EXACT = [Effect.of({count: cost * (1 - count / 40) ** 2 for count in range(20, 41)}) for cost in COSTS]
case = functools.partial(problem, project=projection)


def best_possible(sparsity=0.2):
    return cheapest(EXACT, UNITS, budget(UNITS, sparsity))


def loss_of(kept):
    return synthetic_losses(kept, [0])[0]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Searches by algorithm, seed and episodes: (journal, result)."""

    @functools.cache
    def made(name, seed, episodes):
        return found(name, tmp_path_factory.mktemp(name), case(), episodes, seed)

    return lambda name, seed=0, episodes=EPISODES: made(name, seed, episodes)


# --- what they find ------------------------------------------------------------------------------------------------


def test_they_come_close_to_the_best_possible(searched):
    """Random search gains least."""
    uniform, best = np.exp(loss_of([32] * 8)), np.exp(loss_of(best_possible()))
    gains = {name: (uniform - searched(name)[0].best.ppl) / (uniform - best) for name in LEAST}
    assert [name for name, least in LEAST.items() if gains[name] <= least] == []
    assert min(gains, key=gains.get) == "random"


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("episodes", [EPISODES, 47])
def test_they_spend_the_same_tokens_on_candidates_within_the_budget(name, episodes, searched):
    records, result = searched(name, episodes=episodes)
    spent = sum(episode.tokens for episode in records.episodes)
    assert 0.95 * episodes * 64 <= spent <= episodes * 64
    assert all(episode.feasible == (sum(episode.kept) <= ROOM) for episode in records.episodes)
    assert records.best.feasible and all(sum(kept) <= ROOM for kept in result.candidates.values())
    # The surrogate changes one unit at a time, and so looks above the budget too.
    assert all(episode.feasible for episode in records.episodes) == (name != "surrogate")


@pytest.mark.parametrize("name", sorted(LEAST.keys() - {"surrogate"}))
def test_another_seed_is_another_search(name, searched):
    one, other = (searched(name, seed, 47)[0] for seed in (0, 1))
    assert [e.kept for e in one.episodes] != [e.kept for e in other.episodes]


# --- the best on the way -------------------------------------------------------------------------------------------


TWO_UNITS = [Unit("a", "mha", 0, 10, 1), Unit("b", "ffn", 0, 10, 1)]  # at 0.2 at most 16 items


@pytest.mark.parametrize(
    ("rows", "marks", "held"),
    [  # (first unit's count, tokens, reward[, second unit's count])
        ([(8, 10, 1.0), (7, 10, 3.0), (9, 10, 2.0), (6, 10, 4.0)], [5, 10, 25, 30, 40], [None, 8, 7, 7, 6]),
        ([(8, 10, 9.0), (7, 20, 1.0), (6, 10, 10.0)], [10, 30, 40], [8, 7, 7]),  # tokens come before rewards
        ([(8, 10, 1.0), (10, 10, 5.0, 10)], [20], [8]),  # what is above the budget is no candidate
        ([(10, 10, 5.0, 10)], [20], [None]),
    ],
)
def test_the_best_so_far_at_marks_of_the_budget(rows, marks, held):
    curve = [Episode(0, None, reward, [kept, *(more or [16 - kept])], n, 0.0) for kept, n, reward, *more in rows]
    expected = [kept and [kept, 16 - kept] for kept in held]
    assert anytime(curve, TWO_UNITS, 0.2, marks) == expected


def test_a_curve_is_read_as_it_was_written(searched, tmp_path):
    records, _ = searched("surrogate", episodes=47)
    assert [vars(row) | {"feasible": 0} for row in read_curve(records.curve)] == [
        vars(row) | {"feasible": 0} for row in records.episodes
    ]
    (tmp_path / "x.csv").write_text("episode,ppl\n1,2\n")
    for name in ("x.csv", "none.csv"):
        with pytest.raises(SparsitySolverError, match="not the curve of a search"):
            read_curve(tmp_path / name)


def test_the_best_was_scored_on_the_most_windows(tmp_path):
    """Perplexities of different windows cannot be compared: a lucky one on few windows is not the best."""
    target, records = case(), journal(tmp_path)
    good, worse = [26] * 5 + [40] * 3, [32] * 8
    records.record(target, good, target.over(1))
    records.record(target, worse, target.over(8))
    assert records.episodes[0].reward > records.episodes[1].reward
    assert records.best.kept == worse


# --- evolution -----------------------------------------------------------------------------------------------------


def test_a_population_of_the_fittest(tmp_path):
    """30 at first, then 20 offspring a generation; the best ever stays."""
    operators, seen = Arithmetic(case(), 0), []

    def cross(population, count):
        seen.append(list(population))
        return operators.cross(population, count)

    with pytest.raises(BudgetSpent):
        evolve(Trials(case(), journal(tmp_path), 30 + 3 * 20), operators.first, cross, operators.mutate)
    assert [len(population) for population in seen] == [30, 30, 30, 30]
    best = [max(one.reward for one in population) for population in seen]
    assert best == sorted(best)


def test_crossover_takes_every_unit_from_a_parent():
    parents = [Episode(0, None, reward, [count] * 8, 1, 0.0) for count, reward in ((36, 1.0), (24, 2.0))]
    for child in Arithmetic(case(), 0).cross(parents, 20):
        assert set(child) <= {0.9, 0.6}


# --- EvoPress ------------------------------------------------------------------------------------------------------


def test_level_swaps_keep_the_weights_and_the_bounds(tmp_path):
    levels = evopress.Generations(Trials(case(), journal(tmp_path), 10), 0)
    rng = np.random.default_rng(0)
    vector = np.zeros(8, dtype=int)
    for _ in range(200):
        less, more = rng.choice(8, 2, replace=False)
        swapped = vector.copy()
        swapped[less] += 1
        swapped[more] -= 1
        if levels.allowed(swapped):
            vector = swapped
        assert levels.ratios(vector).mean() == pytest.approx(0.8)
    assert ((levels.ratios(vector) >= 0.5 - 1e-9) & (levels.ratios(vector) <= 1 + 1e-9)).all()


@pytest.mark.parametrize(("reward", "moved"), [(0.0, False), (99.0, True)])
def test_a_parent_yields_to_a_better_offspring_only(reward, moved, tmp_path):
    """Elitism: what a generation ends with replaces the parent where it earned more on the most windows."""
    generations = evopress.Generations(Trials(case(), journal(tmp_path), 10), 0)
    child = np.array([1, -1, 0, 0, 0, 0, 0, 0])
    ends = iter([(child, reward)])
    generations._generation = lambda: next(ends)
    with pytest.raises(StopIteration):
        generations.run()
    assert np.array_equal(generations.parent, child) == moved


def test_selection_in_stages_spends_most_windows_on_the_last(searched):
    records, _ = searched("evopress", episodes=47)
    sizes = [episode.tokens // 16 for episode in records.episodes]
    assert sizes[0] == 8 and sizes[1:22] == [1] * 16 + [4] * 4 + [8]


# --- FastForward ---------------------------------------------------------------------------------------------------


def test_few_windows_early_and_many_late(searched):
    records, result = searched("fastforward")
    sizes = [episode.tokens // 16 for episode in records.episodes]
    assert sizes == sorted(sizes) and set(sizes) == {1, 2, 4}
    shares = [sum(size for size in sizes if size == stage) / sum(sizes) for stage in (1, 2, 4)]
    assert shares == pytest.approx([0.25, 0.25, 0.5], abs=0.1)
    assert list(result.candidates) == ["policy_mean"]


def test_its_reward_is_the_same_for_few_windows_and_many(tmp_path):
    target = case()
    few, many = target.over(1), target.over(8)
    rewards = [fastforward.reward_of(journal(tmp_path).record(target, [32] * 8, one), one) for one in (few, many)]
    assert rewards[0] == pytest.approx(rewards[1]) == pytest.approx(np.exp(2.0 - loss_of([32] * 8)))


# --- surrogate -----------------------------------------------------------------------------------------------------


def test_the_effects_give_the_strategy_of_another_budget(searched):
    """They add up exactly here, so they know the optimum of every budget nearly."""
    _, result = searched("surrogate")
    (own,) = result.candidates.values()
    assert [effect(count) for effect, count in zip(result.effects, own)] == pytest.approx([0] * 8)
    about = {"model": {}, "granularity": "structured", "sparsity": 0.2, "criterion": "l2"}
    kept = effect_table.solve(effect_table.make_table(UNITS, own, result.effects, about), 0.3)
    gain = [loss_of([28] * 8) - loss_of(counts) for counts in (kept, best_possible(0.3))]
    assert gain[0] > 0.97 * gain[1]


def test_probes_change_one_unit_at_a_time(searched):
    records, _ = searched("surrogate")
    start = records.episodes[0].kept
    solution = next(e.episode for e in records.episodes[1:] if e.feasible and sum(map(int.__ne__, e.kept, start)) > 1)
    for episode in records.episodes[1:solution]:
        assert sum(map(int.__ne__, episode.kept, start)) == 1


@pytest.mark.parametrize("episodes", [1, 2, 5, 20])
def test_a_small_budget_still_ends_with_a_strategy(episodes, searched):
    _, result = searched("surrogate", episodes=episodes)
    assert case().feasible(result.candidates["surrogate"])


# --- two rates -----------------------------------------------------------------------------------------------------


def two_rates():
    """Layers of attention and FFN, best where attention keeps 11 of 16."""
    kinds = enumerate([MHA, FFN] * 4)
    units = [Unit(f"layers.{i // 2}.{kind}", kind, i // 2, 16, 40 if kind == MHA else 80) for i, kind in kinds]

    def losses(kept, windows):
        return np.full(len(windows), 2.0 + ((np.array(kept[::2]) / 16 - 11 / 16) ** 2).sum())

    return case(losses, units=units)


def test_two_rates_find_the_best_point_of_the_budget_line(tmp_path):
    """Every round halves the candidates and costs alike."""
    target = two_rates()
    line = two_rate.line(target, 32)
    assert len(line) > 8 and all(map(target.feasible, line))
    assert all(8 <= count <= 16 for kept in line for count in kept)
    records, result = found("two_rate", tmp_path, target, EPISODES)
    (kept,) = result.candidates.values()
    assert kept == min(line, key=lambda one: target.score(one)[0]) == records.best.kept
    sizes = [episode.tokens // 16 for episode in records.episodes]
    rounds = {size: sizes.count(size) for size in dict.fromkeys(sizes)}
    assert all(later == (earlier + 1) // 2 for earlier, later in zip(rounds.values(), list(rounds.values())[1:]))
    costs = [size * count for size, count in rounds.items()]
    assert max(costs) <= 1.3 * min(costs) and sum(costs) > 0.9 * EPISODES * 4


def test_two_rates_need_two_kinds():
    with pytest.raises(SparsitySolverError, match="one kind only"):
        two_rate.line(case(), 5)
