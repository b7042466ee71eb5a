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
from torch import nn

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import Unit
from sparsitysolver.records.files import Json, atomic_path, canonical_json, file_sha256
from sparsitysolver.records.seen import Seen, seen_by

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

    @property
    def _name(self) -> str:
        return f"agent {self.path} ({self.model}, sparsity {self.sparsity})"

    def record(self) -> Json:
        """What a strategy keeps of the agent that its search started from."""
        return {
            "sha256": self.sha256,
            "algorithm": self.algorithm,
            "model": self.model,
            "sparsity": self.sparsity,
            "episodes": self.episodes,
        }

    def check_kind(self, algorithm: str, granularity: str) -> None:
        """Refuse to start a search of another algorithm or granularity."""
        for what, found, wanted in (
            ("algorithm", self.algorithm, algorithm),
            ("granularity", self.granularity, granularity),
        ):
            if found != wanted:
                raise SparsitySolverError(f"{self._name} is of another {what}: {found} found, {wanted} needed.")

    def check_units(self, units: Sequence[Unit]) -> None:
        """Refuse to start a search over another number of units, or over units of other names."""
        if len(self.units) != len(units):
            raise SparsitySolverError(
                f"{self._name} is of another number of units: {len(self.units)} found, {len(units)} needed."
            )
        for found, unit in zip(self.units, units, strict=True):
            if found != unit.name:
                raise SparsitySolverError(
                    f"{self._name} is of another architecture: unit {found} found where {unit.name} is needed."
                )

    def give_to(self, network: nn.Module) -> None:
        """Load the tensors into a network of the same architecture."""
        wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        found = {name: tuple(tensor.shape) for name, tensor in self.parameters.items()}
        if found != wanted:
            name = min(name for name in found | wanted if found.get(name) != wanted.get(name))
            raise SparsitySolverError(
                f"{self._name} is of another architecture: {name} is "
                f"{found.get(name, 'missing')}, {wanted.get(name, 'nothing of that name')} needed."
            )
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
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    state = {
        "parameters": agent.get_parameters(),
        "steps": agent.num_timesteps,
        "generators": {
            "torch": torch.get_rng_state(),
            "numpy": [kind, keys.tolist(), position, has_gauss, gauss],
            "python": random.getstate(),
        },
    }
    if hasattr(agent, "replay_buffer"):
        state |= {"buffer": agent.replay_buffer.state(), "episodes": agent._episode_num}
    return state


def restore_agent(agent: Any, state: dict[str, Any]) -> None:
    """Set an agent and the global generators to a saved :func:`agent_state`."""
    agent.set_parameters(state["parameters"], device="cpu")
    agent.num_timesteps = state["steps"]
    if hasattr(agent, "replay_buffer"):
        agent.replay_buffer.restore(state["buffer"])
        agent._episode_num = state["episodes"]
    torch.set_rng_state(state["generators"]["torch"])
    kind, keys, position, has_gauss, gauss = state["generators"]["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    version, internal, gauss_next = state["generators"]["python"]
    random.setstate((version, tuple(internal), gauss_next))
