"""Agents as files and searches that start from them (paper, section 4.6)."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from search_cases import curve, interrupt, journal, problem, search

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import file_sha256, identity
from sparsitysolver.search.agents import load_agent, save_agent
from sparsitysolver.search.algorithms import WALKING, ppo

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
    strategy = search(folder, episodes=30, **BOUNDS)
    return strategy, load_agent(folder / "x.agent")


def again(folder, agent, **changes):
    """A search at 30% that starts from an agent."""
    return search(folder, start=agent, **{"sparsity": 0.3, "episodes": 45, **BOUNDS, **changes})


# --- the file ------------------------------------------------------------------------------------------------------


def test_a_finished_search_leaves_its_agent(first):
    strategy, agent = first
    assert strategy["found"]["warm_start"] is None
    assert agent.record() == {
        "sha256": file_sha256(Path(agent.path)),
        "algorithm": "ppo",
        "model": agent.model,
        "sparsity": 0.2,
        "episodes": 30,
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
    (tmp_path / "text").write_text("hello")
    save_file({"a": torch.ones(1)}, tmp_path / "tensors")
    messages = {"missing": "no agent file at", "text": "is not an agent", "tensors": "is not an agent of format 1"}
    for name, message in messages.items():
        with pytest.raises(SparsitySolverError, match=message):
            load_agent(tmp_path / name)


# --- starting from it ----------------------------------------------------------------------------------------------


def trained(folder, episodes):
    run = ppo.Search(problem(), journal(folder, "first"), 0)
    while len(run.journal.episodes) < episodes:
        run.update()
    save_agent(folder / "x.agent", ABOUT, run.agent.policy.state_dict())
    return run, load_agent(folder / "x.agent")


def test_networks_and_deviations_are_kept_and_the_optimiser_is_new(tmp_path):
    """State and bounds are those of the new search."""
    run, agent = trained(tmp_path, 15)
    started = ppo.Search(problem(sparsity=0.3), journal(tmp_path), 1, start=agent)
    fresh = ppo.Search(problem(), journal(tmp_path, "fresh"), 1)
    old, new, other = (one.agent.policy.state_dict() for one in (run, started, fresh))
    assert all(torch.equal(new[name], tensor) for name, tensor in old.items())
    assert not torch.equal(other["log_std"], old["log_std"])
    assert run.agent.policy.optimizer.state_dict()["state"] != {}
    assert started.agent.policy.optimizer.state_dict()["state"] == {}
    assert started.agent.num_timesteps == 0
    assert started.environment.state.tolist() == pytest.approx([0.3]) and started.problem.bounds.lower == 0.3


def test_a_started_search_begins_better_than_a_fresh_one(tmp_path):
    """On the known landscape: what was learned at 20% holds at 30%."""
    _, agent = trained(tmp_path, 600)
    rewards = {}
    for name, start in (("reused", agent), ("fresh", None)):
        run = ppo.Search(problem(sparsity=0.3), journal(tmp_path, name), 1, start=start)
        run.update()
        rewards[name] = np.median([episode.reward for episode in run.journal.episodes])
    assert rewards["reused"] > 1.2 * rewards["fresh"]


def test_a_started_search_is_resumed_to_the_same_end(first, tmp_path, monkeypatch):
    _, agent = first
    whole, whole_curve = again(tmp_path, agent), curve(tmp_path / "x.curve.csv")
    assert whole["found"]["warm_start"] == agent.record()
    (tmp_path / "x.checkpoint").unlink()
    interrupt(monkeypatch, 37, lambda: again(tmp_path, agent))
    resumed = again(tmp_path, agent)
    assert resumed["run"]["resumed_at"] == 30 and identity(resumed) == identity(whole)
    assert curve(tmp_path / "x.curve.csv") == whole_curve


def test_with_another_agent_or_none_it_is_another_search(first, tmp_path, monkeypatch):
    """Whose checkpoint is ignored; of the other agent one weight is changed."""
    _, agent = first
    tensors = {name: tensor.clone() for name, tensor in agent.parameters.items()}
    tensors["log_std"][0] += 0.01
    save_agent(tmp_path / "other.agent", {**ABOUT, "units": agent.units, "model": agent.model}, tensors)
    interrupt(monkeypatch, 17, lambda: again(tmp_path, agent))
    started = curve(tmp_path / "x.curve.csv")
    for start in (load_agent(tmp_path / "other.agent"), None):
        assert again(tmp_path, start)["run"]["resumed_at"] == 0
    assert curve(tmp_path / "x.curve.csv")[:15] != started


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
    search(tmp_path, "first", algorithm=name, episodes=4, **BOUNDS)
    agent = load_agent(tmp_path / "first.agent")
    strategy = again(tmp_path, agent, algorithm=name, episodes=6)
    assert strategy["found"]["warm_start"] == agent.record()
    (tmp_path / "x.checkpoint").unlink()
    assert identity(again(tmp_path, agent, algorithm=name, episodes=6)) == identity(strategy)


def test_a_missing_agent_is_an_error_before_anything_is_loaded(tmp_path):
    command = [sys.executable, "-m", "sparsitysolver.cli", "search", "no-such-model", "--sparsity", "0.3"]
    command += ["--warm-start", str(tmp_path / "x.agent"), "--out", str(tmp_path / "y.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no agent file at" in done.stderr and "Traceback" not in done.stderr
