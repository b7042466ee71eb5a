"""The PPO search: its definition in the paper, and that it learns."""

import numpy as np
import pytest
import torch
from search_cases import UNITS, curve, journal, problem, synthetic_losses
from stable_baselines3.common.env_checker import check_env

from sparsitysolver.pruning.units import budget, kept_weights
from sparsitysolver.search.algorithms import ppo
from sparsitysolver.search.settings import PERPLEXITY_REWARDS

pytestmark = pytest.mark.filterwarnings("ignore")


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
    space = ppo.SingleStepEnvironment(problem(), lambda kept: 1.0).action_space
    assert (space.low == -10).all() and (space.high == 10).all()
    assert problem().constrain(np.full(8, 10.0)) == problem().constrain(np.full(8, 1e6))


def test_networks_and_settings_of_table_7(tmp_path):
    """One update is fifteen episodes and ten epochs."""
    search = ppo.Search(problem(), journal(tmp_path), 0)
    agent, extractor = search.agent, search.agent.policy.mlp_extractor
    assert [layer.out_features for layer in extractor.policy_net if hasattr(layer, "out_features")] == [256, 256]
    assert [layer.out_features for layer in extractor.value_net if hasattr(layer, "out_features")] == [64, 64]
    assert (agent.n_steps, agent.batch_size, agent.n_epochs, agent.learning_rate) == (15, 15, 10, 5e-4)
    assert agent.policy.optimizer.param_groups[0]["lr"] == 5e-4
    assert agent.ent_coef == 0 and agent.clip_range(1.0) == 0.2
    assert torch.allclose(agent.policy.log_std, torch.tensor(-0.5))
    search.update()
    assert len(search.journal.episodes) == 15 and agent._n_updates == 10


def test_rewards():
    assert PERPLEXITY_REWARDS["inverse_ppl"](25.0, 5.0) == 0.4
    assert PERPLEXITY_REWARDS["dense_ratio"](25.0, 5.0) == 0.2
    assert problem(reward="dense_ratio").score([40] * 8)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_perplexity_that_is_not_finite_earns_nothing_and_is_logged(value, tmp_path):
    lines = []
    target = problem(losses=lambda kept, windows: np.array([2.0, value]))
    episode = journal(tmp_path, log=lines.append).record(target, [1] * 8)
    assert episode.reward == 0.0 and not np.isfinite(episode.ppl)
    assert len(lines) == 1 and "episode 0" in lines[0] and "reward 0" in lines[0]


@pytest.mark.parametrize("episodes", [1, 20, 45])
def test_a_search_survives_candidates_without_perplexity(episodes, tmp_path):
    """Its episodes are exactly as many as asked for."""
    calls = iter(range(10_000))
    target = problem(losses=lambda kept, w: synthetic_losses(kept, w) * (np.nan if next(calls) % 3 == 0 else 1.0))
    own = ppo.run(target, journal(tmp_path), episodes, 0).candidates
    assert len(curve(tmp_path / "x.curve.csv")) == episodes
    assert all(0 <= count <= 40 for count in own["policy_mean"])


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
