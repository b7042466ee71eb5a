"""AMC and AGMC: their agent's settings, what the state network sees, and that they learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from search_cases import found, journal, problem
from tiny import tiny_model

from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.units import FFN, MHA, Unit, budget, kept_weights, unstructured_units
from sparsitysolver.search.algorithms import agmc, amc, amc_broadcast, settings_of
from sparsitysolver.search.ddpg import DDPGSettings, WalkSearch
from sparsitysolver.search.walk import Walk

pytestmark = pytest.mark.filterwarnings("ignore")

PAIRS = [Unit(f"layers.{layer}.{kind}", kind, layer, 40, 10) for layer in range(2) for kind in (MHA, FFN)]
# What a unit's removal costs: the last layer matters, and the wall serves the first one first.
COSTS = np.array([0.1, 0.1, 2.0, 2.0])


def losses(kept, windows):
    return np.full(len(windows), 2.0 + COSTS @ (1 - np.array(kept) / 40) ** 2)


def case():
    return problem(losses=losses, units=PAIRS)


def walk_search(folder, settings=amc.SETTINGS, episodes=40):
    return WalkSearch(case(), journal(folder), episodes, 0, settings=settings)


# --- the agent -----------------------------------------------------------------------------------------------------


def test_networks_and_settings_of_amc(tmp_path):
    agent = walk_search(tmp_path).agent
    assert [layer.out_features for layer in agent.actor.mu if hasattr(layer, "out_features")] == [300, 300, 1]
    (critic,) = agent.critic.q_networks
    assert [layer.out_features for layer in critic if hasattr(layer, "out_features")] == [300, 300, 1]
    assert (agent.gamma, agent.tau, agent.batch_size) == (1.0, 0.01, 64)
    assert agent.replay_buffer.buffer_size == 100 * len(PAIRS)
    assert [DDPGSettings().warm_up(episodes) for episodes in (3000, 400, 399, 60, 3)] == [100, 100, 99, 15, 0]


def test_the_reward_is_all_that_the_two_amc_differ_in(tmp_path):
    assert settings_of("amc") | {"broadcast": True} == settings_of("amc_broadcast")
    kinds = [walk_search(tmp_path, own).agent.replay_buffer.broadcast for own in (amc.SETTINGS, amc_broadcast.SETTINGS)]
    assert kinds == [False, True]
    assert agmc.SETTINGS.broadcast


def test_nothing_is_learned_from_random_episodes_alone(tmp_path):
    """Later actor and critic learn at rates of their own; the policy walks within the budget."""
    run = walk_search(tmp_path)
    run.learn(10)
    assert run.agent._n_updates == 0
    run.learn(1)
    assert run.agent._n_updates == len(PAIRS)  # as many as the episode had steps
    rates = [optimizer.param_groups[0]["lr"] for optimizer in (run.agent.actor.optimizer, run.agent.critic.optimizer)]
    assert rates == [1e-4, 1e-3]
    kept = run.policy_walk()
    assert len(kept) == len(PAIRS) and kept_weights(PAIRS, kept) <= budget(PAIRS, 0.2)


def test_noise_is_truncated_and_decays(tmp_path):
    """Random at first, then around the policy: half the range wide, 5% less from episode to episode."""
    agent = walk_search(tmp_path, episodes=4).agent
    agent._last_obs = agent.env.reset()
    agent.actor.mu[-2].bias.data.fill_(10.0)  # the policy keeps all: tanh is 1
    spread = {}
    for episode in (0, 1, 61):
        agent._episode_num = episode
        drawn = np.array([agent._sample_action(0)[0].item() for _ in range(1500)])
        assert drawn.min() >= 0.5 and drawn.max() <= 1.0
        spread[episode] = (1 - drawn).mean() / 0.5  # in ranges of the action
    assert spread[0] == pytest.approx(0.5, abs=0.03)  # uniform
    # Half a normal of deviation 0.5 cut off at 1, that is at two deviations: mean 0.5 * 0.7228.
    assert spread[1] == pytest.approx(0.361, abs=0.03)
    assert spread[61] == pytest.approx(0.5 * 0.95**60 * np.sqrt(2 / np.pi), rel=0.1)
    agent._episode_num = 100_000  # the deviation is 0 in double precision
    assert agent._sample_action(0)[0].item() == 1.0


# --- AGMC's state --------------------------------------------------------------------------------------------------


def edges_of(units):
    nodes, adjacency = agmc.unit_graph(units)
    return nodes, {tuple(edge) for edge in adjacency.nonzero().tolist()}


def test_the_graph_of_two_layers():
    """Units 0 to 3, then the residual stream 4 to 8: into the unit, out of it, and past it."""
    nodes, edges = edges_of(PAIRS)
    expected = set()
    for unit in range(4):
        expected |= {(4 + unit, unit), (unit, 5 + unit), (4 + unit, 5 + unit)}
    assert edges == expected
    assert nodes[:, :3].tolist() == [[1, 0, 0], [0, 1, 0]] * 2 + [[0, 0, 1]] * 5


def test_matrices_that_read_the_same_input_stand_side_by_side():
    """q, k, v beside each other, then o; gate and up beside each other, then down."""
    units = unstructured_units(adapt(tiny_model("llama", num_hidden_layers=1)).shape)
    _, edges = edges_of(units)
    q, k, v, o, gate, up, down, start, middle, end = range(10)
    assert edges == {
        *((start, one) for one in (q, k, v)),
        *((one, o) for one in (q, k, v)),
        *((o, middle), (start, middle), (middle, gate), (middle, up)),
        *((gate, down), (up, down), (down, end), (middle, end)),
    }


def test_propagation_by_hand():
    """Two joined nodes: every entry of A + I is 1, every degree 2."""
    joined = agmc.normalised(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    assert torch.allclose(joined, torch.full((2, 2), 0.5))


def test_embeddings_tell_units_and_actions_apart_and_are_learned():
    torch.manual_seed(0)
    observe, walk = agmc.Position(PAIRS), Walk(case())
    embed = agmc.GraphEmbedding(observe.space, PAIRS)
    assert observe(walk).tolist() == [0, 1] and observe.space.contains(observe(walk))
    table = embed.embeddings()
    assert table.shape == (4, 30)
    assert all(not torch.allclose(table[i], table[j], atol=1e-4) for i in range(4) for j in range(i))
    states = embed(torch.tensor([[1.0, 0.5], [1.0, 1.0]]))
    assert states.shape == (2, 30) and not torch.allclose(states[0], states[1])
    states.sum().backward()
    assert all(parameter.grad is not None for parameter in embed.parameters())


def test_embeddings_depend_on_the_units_sizes():
    """The same networks over a graph of other sizes, which are no part of what is learned."""
    torch.manual_seed(0)
    space = agmc.Position(PAIRS).space
    other = [replace(unit, size=10 if unit.kind == MHA else 90) for unit in PAIRS]
    embed, another = agmc.GraphEmbedding(space, PAIRS), agmc.GraphEmbedding(space, other)
    another.load_state_dict(embed.state_dict())
    assert not torch.allclose(embed.embeddings(), another.embeddings(), atol=1e-4)


def test_the_encoder_is_trained_with_the_agent(tmp_path):
    run = WalkSearch(case(), journal(tmp_path), 8, 0, None, agmc.SETTINGS, agmc.Position, agmc.GraphEmbedding)
    before = {name: tensor.clone() for name, tensor in run.agent.policy.state_dict().items()}
    run.learn(8)
    after = run.agent.policy.state_dict()
    for part in ("actor", "critic"):
        name = f"{part}.features_extractor.encoder.0.weight"
        assert not torch.equal(before[name], after[name])


# --- they learn ----------------------------------------------------------------------------------------------------


def random_rewards(count=2000):
    rng, target = np.random.default_rng(0), case()
    rewards = []
    for _ in range(count):
        walk = Walk(target)
        for ratio in rng.uniform(0.5, 1, len(PAIRS)):
            walk.keep(ratio)
        rewards.append(target.score(walk.kept)[1])
    return rewards


def last_rewards(name, folder, episodes, seed):
    records, _ = found(name, folder, case(), episodes, seed)
    return np.median([episode.reward for episode in records.episodes[-40:]])


@pytest.mark.parametrize(("name", "quantile"), [("amc_broadcast", 0.85), ("agmc", 0.75)])
def test_they_learn_what_random_walks_rarely_find(name, quantile, tmp_path):
    assert last_rewards(name, tmp_path, 160, 2) > np.quantile(random_rewards(), quantile)


def test_amc_learns_although_its_reward_is_sparse(tmp_path):
    """It often does not; one of two seeds must."""
    mark = np.quantile(random_rewards(), 0.75)
    assert any(last_rewards("amc", tmp_path, 300, seed) > mark for seed in (2, 1))
