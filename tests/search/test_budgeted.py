"""Searches that spend a budget of evaluated tokens: what they find where the optimum is known; how each works."""

import numpy as np
import pytest
from budgeted_cases import EPISODES, PAIRED, case, found
from search_cases import COSTS, UNITS, journal, synthetic_losses

from sparsitysolver.pruning import effect_table
from sparsitysolver.pruning.effects import Effect, cheapest
from sparsitysolver.pruning.units import budget
from sparsitysolver.search.algorithms import evopress, fastforward
from sparsitysolver.search.algorithms.evolution import Arithmetic, evolve
from sparsitysolver.search.journal import Episode
from sparsitysolver.search.trials import BudgetSpent, Trials


def best_possible():
    effects = [Effect.of({count: cost * (1 - count / 40) ** 2 for count in range(20, 41)}) for cost in COSTS]
    return float(np.exp(synthetic_losses(cheapest(effects, UNITS, budget(UNITS, 0.2)), [0])[0]))


def ppl(problem, kept):
    return problem.score(kept)[0]


def gained(problem, value):
    """Share of the way from uniform to the best possible perplexity."""
    uniform = ppl(problem, problem.fit(problem.uniform))
    return (uniform - value) / (uniform - best_possible())


# --- what they find ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("surrogate", 0.999),
        ("evopress", 0.99),
        ("cma", 0.99),
        ("tpe", 0.97),
        ("fastforward", 0.97),
        ("evolution", 0.97),
    ],
)
def test_they_come_close_to_the_best_possible(name, least, tmp_path):
    problem, records, _ = found(name, tmp_path)
    assert gained(problem, records.best.ppl) > least


def test_random_search_gains_least(tmp_path):
    gains = {}
    for name in PAIRED:
        problem, records, _ = found(name, tmp_path)
        gains[name] = gained(problem, records.best.ppl)
    assert min(gains, key=gains.get) == "random" and gains["random"] > 0


@pytest.mark.parametrize("name", PAIRED)
def test_all_candidates_that_count_meet_the_budget(name, tmp_path):
    problem, records, searched = found(name, tmp_path, episodes=60)
    room = 0.8 * 8 * 40
    assert all(episode.feasible == (sum(episode.kept) <= room) for episode in records.episodes)
    assert records.best.feasible and all(sum(kept) <= room for kept in searched.candidates.values())
    # The surrogate changes one unit at a time, and so looks above the budget too.
    assert all(episode.feasible for episode in records.episodes) == (name != "surrogate")


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("episodes", [EPISODES, 47])
def test_they_spend_the_same_tokens(name, episodes, tmp_path):
    _, records, _ = found(name, tmp_path, episodes=episodes)
    spent = sum(episode.tokens for episode in records.episodes)
    assert 0.95 * episodes * 64 <= spent <= episodes * 64


@pytest.mark.parametrize("name", ["random", "cma", "evolution", "evopress", "tpe", "fastforward"])
def test_another_seed_is_another_search(name, tmp_path):
    one, other = (found(name, tmp_path / str(seed), seed)[1] for seed in mkdirs(tmp_path, 2))
    assert [e.kept for e in one.episodes] != [e.kept for e in other.episodes]


def mkdirs(folder, count):
    for seed in range(count):
        (folder / str(seed)).mkdir()
    return range(count)


# --- how each works ------------------------------------------------------------------------------------------------


def test_a_population_of_the_fittest(tmp_path):
    """30 at first, then 20 offspring a generation; the best ever stays."""
    problem = case()
    operators = _Spy(problem, 0)
    with pytest.raises(BudgetSpent):
        evolve(Trials(problem, journal(tmp_path), 30 + 3 * 20), operators.first, operators.cross, operators.mutate)
    assert [len(population) for population in operators.seen] == [30, 30, 30, 30]
    best = [max(one.reward for one in population) for population in operators.seen]
    assert best == sorted(best)


class _Spy(Arithmetic):
    def __init__(self, problem, seed):
        super().__init__(problem, seed)
        self.seen = []

    def cross(self, population, count):
        self.seen.append(list(population))
        return super().cross(population, count)


def test_crossover_takes_every_unit_from_a_parent():
    problem = case()
    parents = [Episode(0, None, reward, [count] * 8, 1, 0.0) for count, reward in ((36, 1.0), (24, 2.0))]
    for child in Arithmetic(problem, 0).cross(parents, 20):
        assert set(child) <= {0.9, 0.6}


def test_level_swaps_keep_the_weights_and_the_bounds(tmp_path):
    problem = case()
    levels = evopress.Generations(Trials(problem, journal(tmp_path), 10), 0)
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


def test_the_best_was_scored_on_the_most_windows(tmp_path):
    """Perplexities of different windows cannot be compared: a lucky one on few windows is not the best."""
    problem, records = case(), journal(tmp_path)
    good, worse = [26] * 5 + [40] * 3, [32] * 8
    records.record(problem, good, problem.over(1))
    records.record(problem, worse, problem.over(8))
    assert records.episodes[0].reward > records.episodes[1].reward
    assert records.best.kept == worse


def test_selection_in_stages_spends_most_windows_on_the_last(tmp_path):
    _, records, _ = found("evopress", tmp_path, episodes=80)
    sizes = [episode.tokens // 16 for episode in records.episodes]
    assert sizes[0] == 8 and sizes[1:22] == [1] * 16 + [4] * 4 + [8]


def test_few_windows_early_and_many_late(tmp_path):
    _, records, searched = found("fastforward", tmp_path, episodes=120)
    sizes = [episode.tokens // 16 for episode in records.episodes]
    assert sizes == sorted(sizes) and set(sizes) == {1, 2, 4}
    shares = [sum(size for size in sizes if size == stage) / sum(sizes) for stage in (1, 2, 4)]
    assert shares == pytest.approx([0.25, 0.25, 0.5], abs=0.1)
    assert list(searched.candidates) == ["policy_mean"]


def test_its_reward_is_the_same_for_few_windows_and_many(tmp_path):
    problem = case()
    few, many = problem.over(1), problem.over(8)
    rewards = [fastforward.reward_of(journal(tmp_path).record(problem, [32] * 8, one), one) for one in (few, many)]
    assert rewards[0] == pytest.approx(rewards[1]) == pytest.approx(np.exp(2.0) / ppl(problem, [32] * 8))


# --- surrogate -----------------------------------------------------------------------------------------------------


def test_the_effects_give_the_strategy_of_another_budget(tmp_path):
    """They add up exactly here, so they know the optimum of every budget nearly."""
    _, _, searched = found("surrogate", tmp_path)
    (own,) = searched.candidates.values()
    assert [effect(count) for effect, count in zip(searched.effects, own)] == pytest.approx([0] * 8)
    about = {"model": {}, "granularity": "structured", "sparsity": 0.2, "criterion": "l2"}
    kept = effect_table.solve(effect_table.make_table(UNITS, own, searched.effects, about), 0.3)
    exact = [Effect.of({n: cost * (1 - n / 40) ** 2 for n in range(20, 41)}) for cost in COSTS]
    best = cheapest(exact, UNITS, budget(UNITS, 0.3))
    gain = [synthetic_losses([28] * 8, [0])[0] - synthetic_losses(counts, [0])[0] for counts in (kept, best)]
    assert gain[0] > 0.97 * gain[1]


def test_probes_change_one_unit_at_a_time(tmp_path):
    problem, records, _ = found("surrogate", tmp_path)
    start = records.episodes[0].kept
    solution = next(e.episode for e in records.episodes[1:] if e.feasible and sum(map(int.__ne__, e.kept, start)) > 1)
    for episode in records.episodes[1:solution]:
        assert sum(map(int.__ne__, episode.kept, start)) == 1


def test_a_small_budget_still_ends_with_a_strategy(tmp_path):
    for episodes in (1, 2, 5, 20):
        folder = tmp_path / str(episodes)
        folder.mkdir()
        problem, _, searched = found("surrogate", folder, episodes=episodes)
        assert problem.feasible(searched.candidates["surrogate"])
