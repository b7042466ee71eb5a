"""The PPO search: its definition in the paper, its determinism, its resume, and that it learns."""

import json

import numpy as np
import pytest
import torch
from search_cases import UNITS, curve, interrupt, journal, problem, search, synthetic_losses
from stable_baselines3.common.env_checker import check_env

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import budget, kept_weights
from sparsitysolver.records.files import identity, validate
from sparsitysolver.search.algorithms import ppo
from sparsitysolver.search.engines import PrefixEngine
from sparsitysolver.search.settings import PERPLEXITY_REWARDS, SearchSettings

pytestmark = pytest.mark.filterwarnings("ignore")


# --- the definition ------------------------------------------------------------------------------------------------


def test_environment_is_a_proper_gymnasium_one():
    check_env(ppo.SingleStepEnvironment(problem(), lambda kept: 1.0), warn=False)


def test_one_step_is_one_episode():
    """State P; the action constrained to the budget; reward 10 / ppl; the end."""
    seen = []
    target = problem(sparsity=0.3)
    environment = ppo.SingleStepEnvironment(target, lambda kept: seen.append(kept) or target.score(kept)[1])
    state, _ = environment.reset()
    assert state.tolist() == pytest.approx([0.3])
    assert environment.action_space.shape == (len(UNITS),)
    state, reward, terminated, truncated, _ = environment.step(np.full(8, 5.0, dtype=np.float32))
    assert (terminated, truncated) == (True, False)
    assert seen == [target.constrain(np.full(8, 5.0))]
    assert reward == pytest.approx(10 / np.exp(synthetic_losses(seen[0], [0])[0]))
    assert kept_weights(UNITS, seen[0]) <= budget(UNITS, 0.3)


def test_the_action_space_cuts_nothing_off():
    """tanh is 1 in double precision long before the bound, and rewards see no difference beyond."""
    low, high = ppo.SingleStepEnvironment(problem(), lambda kept: 1.0).action_space.low, 10.0
    assert (low == -high).all()
    assert problem().constrain(np.full(8, 10.0)) == problem().constrain(np.full(8, 1e6))


def test_networks_and_settings_of_table_7(tmp_path):
    agent = ppo.Search(problem(), journal(tmp_path), 0).agent
    extractor = agent.policy.mlp_extractor
    assert [layer.out_features for layer in extractor.policy_net if hasattr(layer, "out_features")] == [256, 256]
    assert [layer.out_features for layer in extractor.value_net if hasattr(layer, "out_features")] == [64, 64]
    assert (agent.n_steps, agent.batch_size, agent.n_epochs, agent.learning_rate) == (15, 15, 10, 5e-4)
    assert agent.policy.optimizer.param_groups[0]["lr"] == 5e-4
    assert agent.ent_coef == 0 and agent.clip_range(1.0) == 0.2
    assert torch.allclose(agent.policy.log_std, torch.tensor(-0.5))


def test_one_update_is_fifteen_episodes_and_ten_epochs(tmp_path):
    search = ppo.Search(problem(), journal(tmp_path), 0)
    search.update()
    assert len(search.journal.episodes) == 15
    assert search.agent._n_updates == 10


def test_rewards():
    assert PERPLEXITY_REWARDS["inverse_ppl"](25.0, 5.0) == 0.4
    assert PERPLEXITY_REWARDS["dense_ratio"](25.0, 5.0) == 0.2
    assert problem(reward="dense_ratio").score([40] * 8)[1] == pytest.approx(1.0)
    with pytest.raises(SparsitySolverError, match="unknown reward 'inverse_ppll'; did you mean inverse_ppl"):
        SearchSettings(reward="inverse_ppll").check()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_perplexity_that_is_not_finite_earns_nothing_and_is_logged(value, tmp_path):
    lines = []
    target = problem(losses=lambda kept, windows: np.array([2.0, value]))
    episode = journal(tmp_path, log=lines.append).record(target, [1] * 8)
    assert episode.reward == 0.0 and not np.isfinite(episode.ppl)
    assert len(lines) == 1 and "episode 0" in lines[0] and "reward 0" in lines[0]


def test_a_search_survives_candidates_without_perplexity(tmp_path):
    calls = iter(range(10_000))
    target = problem(losses=lambda kept, w: synthetic_losses(kept, w) * (np.nan if next(calls) % 3 == 0 else 1.0))
    own = ppo.run(target, journal(tmp_path), 30, 0).candidates
    assert len(curve(tmp_path / "x.curve.csv")) == 30
    assert all(0 <= count <= 40 for count in own["policy_mean"])


# --- it learns -----------------------------------------------------------------------------------------------------


def test_it_learns(tmp_path):
    """600 episodes on a known landscape: far better than random, the policy mean better than where it began."""
    target, records = problem(), journal(tmp_path)
    start = target.score(target.constrain(np.zeros(8)))[1]
    mean = ppo.run(target, records, 600, 0).candidates["policy_mean"]
    rewards = [episode.reward for episode in records.episodes]
    rng = np.random.default_rng(0)
    random = [target.score(target.constrain(rng.normal(0, np.exp(-0.5), 8)))[1] for _ in range(600)]
    assert np.median(rewards[-60:]) > np.quantile(random, 0.9)
    assert target.score(mean)[1] > start
    assert records.best.reward >= max(random)
    assert np.mean(mean[5:]) > np.mean(mean[:5])


# --- whole searches on a tiny model --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted search: its folder and strategy."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, search(folder)


def test_the_strategy_is_a_valid_record(whole):
    folder, strategy = whole
    validate(strategy, "strategy", "x")
    found = strategy["found"]
    assert strategy["achieved_sparsity"] >= 0.2
    assert [unit["kept"] for unit in strategy["units"]] in [c["kept"] for c in found["candidates"]]
    assert found["chosen"] == min(found["candidates"], key=lambda c: c["rescored_ppl"])["name"]
    assert (found["algorithm"], found["episodes"], strategy["seed"]) == ("ppo", 60, 3)
    assert found["a_min"] == 0.5 and found["agent"]["learning_rate"] == 5e-4
    assert json.loads(json.dumps(strategy)) == strategy


def test_best_so_far_and_policy_mean_are_candidates(whole):
    folder, strategy = whole
    rows = curve(folder / "x.curve.csv")
    best = max(rows, key=lambda row: float(row["reward"]))
    candidates = {candidate["name"]: candidate for candidate in strategy["found"]["candidates"]}
    assert candidates["best_1"]["kept"] == json.loads(best["kept"])
    assert candidates["best_1"]["reward_ppl"] == pytest.approx(float(best["ppl"]))
    assert "policy_mean" in candidates
    kept = [tuple(c["kept"]) for name, c in candidates.items() if name.startswith("best_")]
    assert len(set(kept)) == len(kept) == 5


def test_the_curve_has_a_row_an_episode(whole):
    rows = curve(whole[0] / "x.curve.csv")
    assert [int(row["episode"]) for row in rows] == list(range(60))
    for row in rows:
        assert float(row["reward"]) == pytest.approx(10 / float(row["ppl"]))
        assert int(row["tokens"]) == 2 * 16
        assert len(json.loads(row["kept"])) == 6


def test_the_same_seed_gives_the_same_strategy(whole, tmp_path):
    assert identity(search(tmp_path)) == identity(whole[1])
    assert curve(tmp_path / "x.curve.csv") == curve(whole[0] / "x.curve.csv")


def test_another_seed_gives_another_search(whole, tmp_path):
    search(tmp_path, seed=4)
    assert curve(tmp_path / "x.curve.csv") != curve(whole[0] / "x.curve.csv")


@pytest.mark.parametrize(("episode", "resumed"), [(37, 30), (7, 0)])
def test_an_interrupted_search_goes_on_to_the_same_end(whole, episode, resumed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, episode)
        search(tmp_path)
    assert len(curve(tmp_path / "x.curve.csv")) == resumed
    strategy = search(tmp_path)
    assert strategy["run"]["resumed_at"] == resumed
    assert identity(strategy) == identity(whole[1])
    assert curve(tmp_path / "x.curve.csv") == curve(whole[0] / "x.curve.csv")


def test_rows_behind_the_checkpoint_are_dropped(whole, tmp_path, monkeypatch):
    """A kill between the curve and the checkpoint leaves rows that the resumed search makes again."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 37)
        search(tmp_path)
    with (tmp_path / "x.curve.csv").open("a") as handle:
        handle.write("30,1.0,10.0,[],1,0.0\n31,1.")
    assert identity(search(tmp_path)) == identity(whole[1])
    assert curve(tmp_path / "x.curve.csv") == curve(whole[0] / "x.curve.csv")


@pytest.mark.parametrize("change", [{"seed": 4}, {"sparsity": 0.3}, {"reward": "dense_ratio"}])
def test_a_checkpoint_of_another_search_is_ignored(change, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 17)
        search(tmp_path)
    assert (tmp_path / "x.checkpoint").is_file()
    assert search(tmp_path, episodes=15, **change)["run"]["resumed_at"] == 0


def test_a_broken_checkpoint_is_ignored(tmp_path):
    (tmp_path / "x.checkpoint").write_bytes(b"half a checkpoint")
    assert search(tmp_path, episodes=15)["run"]["resumed_at"] == 0


@pytest.mark.parametrize("episodes", [1, 20, 45])
def test_episodes_are_exactly_as_many_as_asked_for(episodes, tmp_path):
    search(tmp_path, episodes=episodes)
    assert len(curve(tmp_path / "x.curve.csv")) == episodes


def test_an_interrupted_rest_is_made_again(tmp_path, monkeypatch):
    strategy = search(tmp_path, name="whole", episodes=20)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 18)
        search(tmp_path, episodes=20)
    again = search(tmp_path, episodes=20)
    assert again["run"]["resumed_at"] == 15
    assert identity(again) == identity(strategy)


def test_an_unstructured_search_keeps_columns_within_the_budget(tmp_path):
    """Seven matrices a layer; bounds that start the policy on the budget; the same seed gives the same strategy."""
    strategy = search(tmp_path, granularity="unstructured", sparsity=0.5, episodes=30)
    assert len(strategy["units"]) == 21
    assert (strategy["found"]["a_min"], strategy["found"]["a_max"]) == (0.2, 0.7)
    assert strategy["found"]["criterion"] == "wanda" and strategy["granularity"] == "unstructured"
    assert 0.5 <= strategy["achieved_sparsity"] < 0.6
    validate(strategy, "strategy", "x")
    assert identity(search(tmp_path, "y", granularity="unstructured", sparsity=0.5, episodes=30)) == identity(strategy)


def test_a_search_without_any_finite_candidate_is_an_error(tmp_path, monkeypatch):
    losses = PrefixEngine.losses
    full = [4, 44] * 3
    monkeypatch.setattr(PrefixEngine, "losses", lambda *a: losses(*a) * (1 if list(a[1]) == full else np.nan))
    with pytest.raises(SparsitySolverError, match="no candidate of the search earns a reward"):
        search(tmp_path, episodes=15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"episodes": 0}, "0 episodes asked for"),
        ({"sparsity": 1.2}, r"sparsity 1\.2"),
        ({"algorithm": "pppo"}, "unknown search algorithm 'pppo'; did you mean ppo"),
        ({"budget": "projektion"}, "unknown budget rule 'projektion'; did you mean projection"),
        ({"reward": "ppl"}, "unknown reward 'ppl'"),
        ({"reward": "accuracy"}, "name it by --task"),
        ({"granularity": "structurd"}, "unknown granularity 'structurd'; did you mean structured"),
        ({"granularity": "unstructured", "criterion": "l2"}, "unknown unstructured criterion 'l2'"),
        ({"a_min": 0.9}, "a_min = 0.9"),
    ],
)
def test_settings_that_cannot_be_searched(change, message):
    with pytest.raises(SparsitySolverError, match=message):
        SearchSettings(**change).check()
