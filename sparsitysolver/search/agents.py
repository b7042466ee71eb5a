"""Agents as files, from which another search can start (paper, section 4.6, table 6), and as part of checkpoints."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import Unit
from sparsitysolver.records.files import Json, atomic_path, canonical_json, file_sha256
from sparsitysolver.records.seen import Seen, seen_by
from sparsitysolver.search.journal import Journal

FORMAT = 1
_KEY = "sparsitysolver_agent"  # one metadata entry: the order of several is not fixed, and so the file's bytes


@dataclass(frozen=True)
class Agent:
    """A saved agent: its networks' tensors, where they come from, and what their training has seen."""

    path: str
    algorithm: str
    granularity: str
    units: list[str]
    model: str
    sparsity: float
    episodes: int
    seen: Seen
    parameters: dict[str, torch.Tensor]
    sha256: str

    def record(self) -> Json:
        """What a strategy keeps of the agent that its search started from."""
        return {name: getattr(self, name) for name in ("sha256", "algorithm", "model", "sparsity", "episodes")}

    def check_kind(self, algorithm: str, granularity: str) -> None:
        """Refuse to start a search of another algorithm or granularity."""
        self._check("algorithm", self.algorithm, algorithm)
        self._check("granularity", self.granularity, granularity)

    def check_units(self, units: Sequence[Unit]) -> None:
        """Refuse to start a search over another number of units, or over units of other names."""
        self._check("number of units", len(self.units), len(units))
        for found, unit in zip(self.units, units, strict=True):
            self._check("architecture", found, unit.name, "unit {} found where {} is needed")

    def _check(self, what: str, found: object, wanted: object, text: str = "{} found, {} needed") -> None:
        if found != wanted:
            raise SparsitySolverError(
                f"agent {self.path} ({self.model}, sparsity {self.sparsity}) is of another {what}: "
                f"{text.format(found, wanted)}."
            )

    def give_to(self, network: torch.nn.Module) -> None:
        """Load the tensors into a network of the same architecture."""
        wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        found = {name: tuple(tensor.shape) for name, tensor in self.parameters.items()}
        for name in sorted(found | wanted):
            shapes = found.get(name, "missing"), wanted.get(name, "nothing of that name")
            self._check("architecture", *shapes, f"{name} is {{}}, {{}} needed")
        network.load_state_dict(self.parameters)


def save_agent(path: Path, about: Json, parameters: Mapping[str, torch.Tensor]) -> None:
    """Write an agent whole or not at all; ``about`` has the fields of :class:`Agent` between path and parameters."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in parameters.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {_KEY: canonical_json(about | {"format": FORMAT})})


def load_agent(path: str | Path) -> Agent:
    """Read an agent that a search wrote; a missing or other file is a clear error."""
    if not Path(path).is_file():
        raise SparsitySolverError(f"no agent file at {path}; 'sparsitysolver search --out x.json' writes x.agent.")
    try:
        with safe_open(path, "pt") as handle:
            about = json.loads((handle.metadata() or {}).get(_KEY, "null"))
            parameters = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise SparsitySolverError(f"{path} is not an agent: {error}.") from error
    if about is None or about.pop("format") != FORMAT:
        raise SparsitySolverError(f"{path} is not an agent of format {FORMAT}, which 'sparsitysolver search' writes.")
    about = about | {"seen": seen_by(about)}
    return Agent(str(path), **about, parameters=parameters, sha256=file_sha256(Path(path)))


def agent_state(agent: Any) -> dict[str, Any]:
    """All of a stable-baselines3 agent that its next episode depends on, as plain values for a checkpoint.

    Between two episodes the environments of a search hold no state; torch's, numpy's and Python's global generators
    are those that the library draws from.
    """
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    state = {
        "parameters": agent.get_parameters(),
        "steps": agent.num_timesteps,
        "generators": {
            "torch": torch.get_rng_state(),
            "numpy": [kind, keys.tolist(), *rest],
            "python": random.getstate(),
        },
    }
    if hasattr(agent, "replay_buffer"):
        state |= {"buffer": agent.replay_buffer.state(), "episodes": agent._episode_num}
    return state


def begin(agent: Any, journal: Journal, start: Agent | None) -> None:
    """Set a fresh agent and the global generators to the :func:`agent_state` that the journal's checkpoint holds.

    Without one the agent takes over the networks of ``start``, if it is given; the optimiser is new (deviation 80).
    """
    from stable_baselines3.common.logger import Logger  # takes seconds to import

    # Without a logger of its own, every call of ``learn`` leaves a folder behind in the temporary directory.
    agent.set_logger(Logger(folder=None, output_formats=[]))
    state = journal.resume()
    if state is None:
        if start is not None:
            start.give_to(agent.policy)
        return
    agent.set_parameters(state["parameters"], device="cpu")
    agent.num_timesteps = state["steps"]
    if hasattr(agent, "replay_buffer"):
        agent.replay_buffer.restore(state["buffer"])
        agent._episode_num = state["episodes"]
    generators = state["generators"]
    torch.set_rng_state(generators["torch"])
    kind, keys, *rest = generators["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    version, internal, gauss_next = generators["python"]
    random.setstate((version, tuple(internal), gauss_next))
