"""Agents as files and searches that start from them (paper, section 4.6); what a strategy says of its search."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from search_cases import curve, interrupt, journal, problem, search
from tiny import tiny_model

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.units import uniform_counts, units_of
from sparsitysolver.records.files import file_sha256, identity
from sparsitysolver.search.agents import load_agent, save_agent
from sparsitysolver.search.algorithms import WALKING, ppo
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.search.solve import _uniform

pytestmark = pytest.mark.filterwarnings("ignore")

BOUNDS = {"a_min": 0.3, "a_max": 1.0}  # hold at 20% and at 30%
ABOUT = {
    "algorithm": "ppo",
    "granularity": "structured",
    "units": [f"u{i}" for i in range(8)],
    "model": "m",
    "sparsity": 0.2,
    "episodes": 30,
    "seen": [],
}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished PPO search at 20% and its agent."""
    folder = tmp_path_factory.mktemp("first")
    strategy = search(folder, episodes=60, **BOUNDS)
    return strategy, load_agent(folder / "x.agent")


def again(folder, agent, **changes):
    """A search at 30% that starts from an agent."""
    return search(folder, start=agent, **{"sparsity": 0.3, "episodes": 45, **BOUNDS, **changes})


# --- the file ------------------------------------------------------------------------------------------------------


def test_a_finished_search_leaves_its_agent(first):
    _, agent = first
    assert agent.record() == {
        "sha256": file_sha256(Path(agent.path)),
        "algorithm": "ppo",
        "model": agent.model,
        "sparsity": 0.2,
        "episodes": 60,
    }
    assert agent.parameters["log_std"].shape == (6,)
    assert agent.units == [f"layers.{layer}.{kind}" for layer in range(3) for kind in ("mha", "ffn")]


def test_the_same_agent_gives_the_same_bytes(tmp_path):
    tensors = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.ones(2)}
    for name in ("one", "other"):
        save_agent(tmp_path / name, ABOUT, tensors)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    loaded = load_agent(tmp_path / "one")
    assert torch.equal(loaded.parameters["b"], tensors["b"]) and loaded.sparsity == 0.2


def test_files_that_are_no_agents_are_refused(tmp_path):
    with pytest.raises(SparsitySolverError, match="no agent file at"):
        load_agent(tmp_path / "missing.agent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(SparsitySolverError, match="text is not an agent"):
        load_agent(tmp_path / "text")
    save_file({"a": torch.ones(1)}, tmp_path / "tensors")
    with pytest.raises(SparsitySolverError, match="tensors is not an agent of format 1"):
        load_agent(tmp_path / "tensors")


# --- starting from it ----------------------------------------------------------------------------------------------


def trained(folder, episodes=60):
    run = ppo.Search(problem(), journal(folder, "first"), 0)
    while len(run.journal.episodes) < episodes:
        run.update()
    save_agent(folder / "x.agent", ABOUT, run.agent.policy.state_dict())
    return run, load_agent(folder / "x.agent")


def test_networks_and_deviations_are_kept_and_the_optimiser_is_new(tmp_path):
    run, agent = trained(tmp_path)
    started = ppo.Search(problem(sparsity=0.3), journal(tmp_path), 1, start=agent)
    for name, tensor in run.agent.policy.state_dict().items():
        assert torch.equal(started.agent.policy.state_dict()[name], tensor), name
    fresh = ppo.Search(problem(), journal(tmp_path, "fresh"), 1)
    assert not torch.equal(fresh.agent.policy.state_dict()["log_std"], run.agent.policy.state_dict()["log_std"])
    assert run.agent.policy.optimizer.state_dict()["state"] != {}
    assert started.agent.policy.optimizer.state_dict()["state"] == {}
    assert started.agent.num_timesteps == 0


def test_state_and_bounds_are_those_of_the_new_search(tmp_path):
    _, agent = trained(tmp_path, 15)
    started = ppo.Search(problem(sparsity=0.3), journal(tmp_path), 1, start=agent)
    assert started.environment.state.tolist() == pytest.approx([0.3])
    assert started.problem.bounds.lower == 0.3
    started.update()
    assert len(started.journal.episodes) == 15


def test_a_started_search_begins_better_than_a_fresh_one(tmp_path):
    """On the known landscape: what was learned at 20% holds at 30%."""
    _, agent = trained(tmp_path, 600)
    rewards = {}
    for name, start in (("reused", agent), ("fresh", None)):
        run = ppo.Search(problem(sparsity=0.3), journal(tmp_path, name), 1, start=start)
        run.update()
        rewards[name] = np.median([episode.reward for episode in run.journal.episodes])
    assert rewards["reused"] > 1.2 * rewards["fresh"]


def test_where_a_search_started_is_recorded(first, tmp_path):
    strategy, agent = first
    assert strategy["found"]["warm_start"] is None
    assert again(tmp_path, agent)["found"]["warm_start"] == agent.record()


def test_it_is_another_search_than_without_the_agent(first, tmp_path):
    _, agent = first
    again(tmp_path, agent, episodes=15)
    search(tmp_path, "fresh", sparsity=0.3, episodes=15, **BOUNDS)
    assert curve(tmp_path / "x.curve.csv") != curve(tmp_path / "fresh.curve.csv")


def test_a_started_search_is_resumed_to_the_same_end(first, tmp_path, monkeypatch):
    _, agent = first
    whole = again(tmp_path, agent)
    whole_curve = curve(tmp_path / "x.curve.csv")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 37)
        (tmp_path / "x.checkpoint").unlink()
        again(tmp_path, agent)
    resumed = again(tmp_path, agent)
    assert resumed["run"]["resumed_at"] == 30
    assert identity(resumed) == identity(whole)
    assert curve(tmp_path / "x.curve.csv") == whole_curve


def test_a_checkpoint_of_another_agents_search_is_ignored(first, tmp_path, monkeypatch):
    _, agent = first
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 17)
        again(tmp_path, agent)
    other = again(tmp_path, load_agent(save_other(agent, tmp_path)), episodes=45)
    assert other["run"]["resumed_at"] == 0


def save_other(agent, folder):
    """The same agent with one weight changed, as a file."""
    tensors = {name: tensor.clone() for name, tensor in agent.parameters.items()}
    tensors["log_std"][0] += 0.01
    about = {**ABOUT, "units": agent.units, "model": agent.model}
    save_agent(folder / "other.agent", about, tensors)
    return folder / "other.agent"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": "amc"}, "of another algorithm: ppo found, amc needed"),
        ({"granularity": "unstructured", "sparsity": 0.5}, "another granularity: structured found, unstructured need"),
    ],
)
def test_agents_of_another_kind_are_refused(change, message, first, tmp_path):
    _, agent = first
    with pytest.raises(SparsitySolverError, match=message):
        again(tmp_path, agent, **change)


def test_agents_over_other_units_are_refused(first):
    _, agent = first
    units = problem().units
    with pytest.raises(SparsitySolverError, match="of another number of units: 6 found, 8 needed"):
        agent.check_units(units)
    with pytest.raises(SparsitySolverError, match=r"another architecture: unit layers\.0\.mha found where u0 is need"):
        agent.check_units(units[:6])


def test_agents_of_another_network_are_refused(tmp_path, monkeypatch):
    _, agent = trained(tmp_path, 15)
    monkeypatch.setattr(ppo, "SETTINGS", SimpleNamespace(**vars(ppo.SETTINGS) | {"actor_hidden": (64, 64)}))
    with pytest.raises(SparsitySolverError, match=r"architecture: action_net\.weight is \(8, 256\), \(8, 64\) needed"):
        ppo.Search(problem(), journal(tmp_path), 0, start=agent)


@pytest.mark.parametrize("name", sorted(WALKING))
def test_walks_start_from_agents_too(name, tmp_path):
    """Without random episodes: the first one is the agent's own, with noise."""
    search(tmp_path, "first", algorithm=name, episodes=12, **BOUNDS)
    agent = load_agent(tmp_path / "first.agent")
    strategy = again(tmp_path, agent, algorithm=name, episodes=16)
    assert strategy["found"]["warm_start"] == agent.record()
    (tmp_path / "x.checkpoint").unlink()
    assert identity(again(tmp_path, agent, algorithm=name, episodes=16)) == identity(strategy)


# --- what a strategy says of its search ----------------------------------------------------------------------------


def test_uniform_and_dense_are_scored_on_the_reward_windows(first):
    strategy, _ = first
    found = strategy["found"]
    counts = len(found["candidates"])
    assert found["dense_ppl"] > 1
    assert found["uniform"]["reward"] == pytest.approx(10 / found["uniform"]["ppl"])
    # Episodes; every candidate twice; uniform once; the dense model once on either set of windows.
    assert found["evaluations"] == 60 + 2 * counts + 1 + 2
    assert found["tokens"] == 16 * (2 * (60 + counts + 2) + 4 * (counts + 1))


def test_uniform_is_the_uniform_allocation(first, tmp_path, monkeypatch):
    """The objective is asked for exactly those counts."""
    asked, score = [], Problem.score
    monkeypatch.setattr(Problem, "score", lambda self, kept, *by: asked.append(list(kept)) or score(self, kept, *by))
    strategy = search(tmp_path, episodes=15)
    units = units_of(adapt(tiny_model("llama")).shape, "structured")
    assert asked[-1] == uniform_counts(units, 0.2)
    assert strategy["found"]["uniform"]["ppl"] is not None


def test_uniform_is_null_where_it_cannot_meet_the_budget(tmp_path):
    """At 95% one group alone exceeds a layer's budget; the search itself may drop whole units."""
    found = search(tmp_path, sparsity=0.95, episodes=15, a_min=0.0)["found"]
    assert found["uniform"] == {"ppl": None, "reward": None}
    assert found["evaluations"] == 15 + 2 * len(found["candidates"]) + 2


def test_without_perplexity_the_reward_alone_is_noted():
    class Accuracy:
        tokens = 1

        def score(self, kept):
            return None, 0.5

    task = problem()
    task.objective = Accuracy()
    settings = SearchSettings(granularity="unstructured", sparsity=0.5)
    assert _uniform(task, settings) == ({"ppl": None, "reward": 0.5}, 1)


# --- the command line ----------------------------------------------------------------------------------------------


def test_a_missing_agent_is_an_error_before_anything_is_loaded(tmp_path):
    command = [sys.executable, "-m", "sparsitysolver.cli", "search", "no-such-model", "--sparsity", "0.3"]
    command += ["--warm-start", str(tmp_path / "x.agent"), "--out", str(tmp_path / "y.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no agent file at" in done.stderr and "Traceback" not in done.stderr
