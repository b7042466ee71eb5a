"""Whole searches on a tiny model, one contract for every algorithm: a valid strategy, its cost, the same end again."""

import functools
import json

import numpy as np
import pytest
from search_cases import curve, interrupt, resumed, search
from tiny import tiny_model

from sparsitysolver.config.auto import choose
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning import effect_table
from sparsitysolver.pruning.units import uniform_counts, units_of
from sparsitysolver.records.files import file_sha256, identity, validate
from sparsitysolver.search import settings as settings_module
from sparsitysolver.search.algorithms import ALGORITHMS, DRIVEN, GREEDY_BY_DEFAULT, WALKING, evopress, settings_of
from sparsitysolver.search.algorithms.evolution import Arithmetic
from sparsitysolver.search.engines import PrefixEngine
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.settings import SearchSettings

pytestmark = pytest.mark.filterwarnings("ignore")
NAMES = sorted(set(ALGORITHMS) - DRIVEN)
OWN = {"ppo": "policy_mean", "fastforward": "policy_mean", **dict.fromkeys(WALKING, "policy")}
EPISODES = 40


@pytest.fixture(autouse=True)
def few_attempts(monkeypatch):
    """On a tiny model nearly every offspring was there before: this saves half a minute a search."""
    monkeypatch.setattr(evopress.SETTINGS, "attempts", 5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Uninterrupted searches by algorithm: folder and strategy."""

    @functools.cache
    def made(name):
        folder = tmp_path_factory.mktemp(name)
        return folder, search(folder, algorithm=name, episodes=EPISODES)

    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_is_a_valid_record_that_says_what_it_cost(name, whole):
    folder, strategy = whole(name)
    validate(strategy, "strategy", "x")
    assert json.loads(json.dumps(strategy)) == strategy
    found, rows = strategy["found"], curve(folder / "x.curve.csv")
    assert (found["algorithm"], found["episodes"], strategy["seed"]) == (name, EPISODES, 3)
    assert (found["a_min"], found["a_max"], found["agent"]) == (0.5, 1.0, settings_of(name))
    assert found["budget"] == ("greedy" if name in GREEDY_BY_DEFAULT else "projection")
    assert strategy["achieved_sparsity"] >= 0.2 and strategy["run"]["seconds_per_proposal"] > 0
    candidates = {one["name"]: one for one in found["candidates"]}
    assert found["chosen"] == min(found["candidates"], key=lambda one: one["rescored_ppl"])["name"]
    assert [unit["kept"] for unit in strategy["units"]] == candidates[found["chosen"]]["kept"]
    assert OWN.get(name, "best_1") in candidates and len(candidates) <= 6
    assert [int(row["episode"]) for row in rows] == list(range(len(rows)))
    assert all(float(row["reward"]) == pytest.approx(10 / float(row["ppl"])) for row in rows)
    tokens = sum(int(row["tokens"]) for row in rows)
    assert tokens <= EPISODES * 2 * 16 and tokens < found["tokens"] and len(rows) < found["evaluations"]
    if name in WALKING | {"ppo"}:
        assert tokens == EPISODES * 2 * 16


@pytest.mark.parametrize(
    ("name", "episode", "from_episode"),
    [
        *((name, 18, 15) for name in NAMES if name != "two_rate"),
        *((name, episode, saved) for name in ("ppo", *sorted(WALKING)) for episode, saved in ((7, 0), (37, 30))),
    ],
)
def test_an_interrupted_search_goes_on_to_the_same_end(name, episode, from_episode, whole, tmp_path, monkeypatch):
    """Stopped before its first checkpoint, which is begun again with the same seed, soon after one, and late."""
    folder, strategy = whole(name)
    options = {"algorithm": name, "episodes": EPISODES}
    interrupt(monkeypatch, episode, lambda: search(tmp_path, **options))
    evaluated, record = [], Journal.record
    monkeypatch.setattr(Journal, "record", lambda self, *asked: evaluated.append(0) or record(self, *asked))
    again, rows = search(tmp_path, **options), curve(tmp_path / "x.curve.csv")
    assert again["run"]["resumed_at"] == from_episode
    assert len(evaluated) == len(rows) - from_episode  # what was known is not evaluated again
    assert identity(again) == identity(strategy) and rows == curve(folder / "x.curve.csv")
    for agent in folder.glob("*.agent"):
        assert file_sha256(tmp_path / agent.name) == file_sha256(agent)


# --- the journal ---------------------------------------------------------------------------------------------------


def test_the_best_episodes_are_candidates(whole):
    folder, strategy = whole("ppo")
    best = max(curve(folder / "x.curve.csv"), key=lambda row: float(row["reward"]))
    candidates = {candidate["name"]: candidate for candidate in strategy["found"]["candidates"]}
    assert candidates["best_1"]["kept"] == json.loads(best["kept"])
    assert candidates["best_1"]["reward_ppl"] == pytest.approx(float(best["ppl"]))
    kept = [tuple(one["kept"]) for name, one in candidates.items() if name.startswith("best_")]
    assert len(set(kept)) == len(kept) == 5


def test_rows_behind_the_checkpoint_are_dropped(whole, tmp_path, monkeypatch):
    """A kill between the curve and the checkpoint leaves rows that the resumed search makes again."""
    interrupt(monkeypatch, 37, lambda: search(tmp_path, episodes=EPISODES))
    with (tmp_path / "x.curve.csv").open("a") as handle:
        handle.write("30,1.0,10.0,[],1,0.0\n31,1.")
    assert identity(search(tmp_path, episodes=EPISODES)) == identity(whole("ppo")[1])
    assert curve(tmp_path / "x.curve.csv") == curve(whole("ppo")[0] / "x.curve.csv")


@pytest.mark.parametrize("change", [{"seed": 4}, {"sparsity": 0.3}, {"reward": "dense_ratio"}])
def test_a_checkpoint_of_another_search_is_ignored(change, whole, tmp_path, monkeypatch):
    interrupt(monkeypatch, 17, lambda: search(tmp_path))
    assert (tmp_path / "x.checkpoint").is_file()
    assert search(tmp_path, **{"episodes": 15, **change})["run"]["resumed_at"] == 0
    assert curve(tmp_path / "x.curve.csv") != curve(whole("ppo")[0] / "x.curve.csv")[:15]


def test_a_broken_checkpoint_is_ignored(tmp_path):
    (tmp_path / "x.checkpoint").write_bytes(b"half a checkpoint")
    assert search(tmp_path, episodes=15)["run"]["resumed_at"] == 0


def test_a_changed_algorithm_goes_on_from_where_it_differs(tmp_path, monkeypatch):
    """Its checkpoint is of another version: what agrees is kept, the rest is evaluated."""
    interrupt(monkeypatch, 37, lambda: search(tmp_path, algorithm="evolution", episodes=40))
    monkeypatch.setattr(
        Arithmetic, "cross", lambda self, population, count: [self._problem.ratios(population[0].kept)] * count
    )
    search(tmp_path, algorithm="evolution", episodes=40)
    rows = curve(tmp_path / "x.curve.csv")
    assert [int(row["episode"]) for row in rows] == list(range(40))
    assert len({row["kept"] for row in rows[30:]}) == 1


# --- special searches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ppo", "agmc"])
def test_an_unstructured_search_keeps_columns_within_the_budget(name, tmp_path, monkeypatch):
    """Seven matrices a layer; bounds that start the policy on the budget; the same seed gives the same strategy."""
    options = {"algorithm": name, "granularity": "unstructured", "sparsity": 0.5, "episodes": 6}
    strategy = search(tmp_path, **options)
    validate(strategy, "strategy", "x")
    assert len(strategy["units"]) == 21 and 0.5 <= strategy["achieved_sparsity"] < 0.75
    assert (strategy["found"]["a_min"], strategy["found"]["a_max"]) == (0.2, 0.7)
    assert strategy["found"]["criterion"] == "wanda" and strategy["granularity"] == "unstructured"
    (tmp_path / "x.checkpoint").unlink(missing_ok=True)
    assert identity(resumed(tmp_path, monkeypatch, 3, **options)) == identity(strategy)


def test_a_search_without_any_finite_candidate_is_an_error(tmp_path, monkeypatch):
    losses, full = PrefixEngine.losses, [4, 44] * 3
    monkeypatch.setattr(PrefixEngine, "losses", lambda *a, **o: losses(*a, **o) * (1 if list(a[1]) == full else np.nan))
    with pytest.raises(SparsitySolverError, match="no candidate of the search earns a reward"):
        search(tmp_path, episodes=15)


def test_uniform_pruning_is_scored_beside_the_candidates(tmp_path, monkeypatch):
    """The objective is asked for exactly those counts; all evaluations are counted."""
    asked, score = [], Problem.score
    monkeypatch.setattr(Problem, "score", lambda self, kept, *by: asked.append(list(kept)) or score(self, kept, *by))
    found = search(tmp_path, episodes=15)["found"]
    assert asked[-1] == uniform_counts(units_of(adapt(tiny_model("llama")).shape, "structured"), 0.2)
    assert found["dense_ppl"] > 1
    assert found["uniform"]["reward"] == pytest.approx(10 / found["uniform"]["ppl"])
    # Episodes; every candidate twice; uniform once; the dense model once on either set of windows.
    counts = len(found["candidates"])
    assert found["evaluations"] == 15 + 2 * counts + 1 + 2
    assert found["tokens"] == 16 * (2 * (15 + counts + 2) + 4 * (counts + 1))


def test_uniform_is_null_where_it_cannot_meet_the_budget(tmp_path):
    """At 95% one group alone exceeds a layer's budget; the search itself may drop whole units."""
    found = search(tmp_path, sparsity=0.95, episodes=1, a_min=0.0)["found"]
    assert found["uniform"] == {"ppl": None, "reward": None}
    assert found["evaluations"] == 1 + 2 * len(found["candidates"]) + 2


def test_a_surrogates_table_is_an_artefact(tmp_path):
    strategy = search(tmp_path, algorithm="surrogate", episodes=120)
    table = effect_table.read_table(tmp_path / "x.effects.json")
    assert table["model"] == strategy["model"]
    assert effect_table.units_of(table) == units_of(adapt(tiny_model("llama")).shape, "structured")
    other = effect_table.strategy_of(table, 0.3, "sha")
    validate(other, "strategy", "x")
    assert other["achieved_sparsity"] >= 0.3 and np.isfinite(other["found"]["predicted_change"])


def test_auto_is_what_the_arena_found_best(whole, tmp_path, monkeypatch, capsys):
    """The strategy is that of the algorithm itself, and says so."""
    asked = []
    monkeypatch.setattr(settings_module, "choose", lambda *budget: asked.append(budget) or "two_rate")
    auto = search(tmp_path, algorithm="auto", episodes=EPISODES)
    assert asked == [("structured", EPISODES, len(auto["units"]))]
    assert auto["found"]["algorithm"] == "two_rate" and "auto: two_rate" in capsys.readouterr().out
    assert identity(auto) == identity(whole("two_rate")[1])


@pytest.mark.parametrize("granularity", ["structured", "unstructured"])
def test_the_shipped_choice_names_an_algorithm_for_every_budget(granularity):
    assert all(choose(granularity, episodes, 20) in ALGORITHMS for episodes in (1, 50, 10_000))


# --- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"episodes": 0}, "0 episodes asked for"),
        ({"reward_windows": -1}, "-1 reward windows asked for; at least 1 is needed, or 0 for all"),
        ({"sparsity": 1.2}, r"sparsity 1\.2"),
        ({"algorithm": "pppo"}, "unknown search algorithm 'pppo'; did you mean ppo"),
        ({"budget": "projektion"}, "unknown budget rule 'projektion'; did you mean projection"),
        ({"reward": "inverse_ppll"}, "unknown reward 'inverse_ppll'; did you mean inverse_ppl"),
        ({"reward": "accuracy"}, "name it by --task"),
        ({"granularity": "structurd"}, "unknown granularity 'structurd'; did you mean structured"),
        ({"granularity": "unstructured", "criterion": "l2"}, "unknown unstructured criterion 'l2'"),
        ({"a_min": 0.9, "a_max": 0.85}, r"a_min = 0\.9, a_max = 0\.85 at sparsity 0\.2: 0 <= a_min <= 0\.8"),
        *(
            ({"algorithm": name, **change}, f"'{name}' walks from unit to unit")
            for name in sorted(WALKING)
            for change in ({"budget": "projection"}, {"literal": True})
        ),
    ],
)
def test_settings_that_cannot_be_searched(change, message):
    with pytest.raises(SparsitySolverError, match=message):
        SearchSettings(**change).check()
