"""AGMC: AMC's walk, its hand-made state replaced by learned embeddings of the network's graph.

Yu, Mazaheri, Jannesari: Auto Graph Encoder-Decoder for Neural Network Pruning, ICCV 2021. A graph convolutional
encoder embeds the computational graph, an LSTM decoder gives every unit's embedding in walk order, and DDPG acts on
those. What is simplified: deviations 78 and 79.
"""

import itertools
from collections.abc import Sequence
from functools import partial

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from sparsitysolver.pruning.units import FFN, MHA, Unit
from sparsitysolver.records.files import Json
from sparsitysolver.search import ddpg
from sparsitysolver.search.walk import Walk, kinds_of, scaled_sizes
from sparsitysolver.statistics.collect import OUTPUT_TAPS, tap_of

EMBEDDING = 30  # size of a unit's embedding in AGMC's published code
SETTINGS = ddpg.DDPGSettings(broadcast=True)
BUDGET = "wall"
_WRITERS = (MHA, FFN, *OUTPUT_TAPS)  # units whose output is added to the residual stream


class Position:
    """What the embedding network is told of a walk: index of the next unit, and the ratio that the one before got."""

    def __init__(self, units: Sequence[Unit]) -> None:
        high = np.array([len(units) - 1, 1], dtype=np.float32)
        self.space = gymnasium.spaces.Box(np.zeros(2, dtype=np.float32), high, dtype=np.float32)

    def __call__(self, walk: Walk) -> np.ndarray:
        """(index, previous ratio) before the next unit."""
        return np.array([walk.index, walk.previous], dtype=np.float32)


class GraphEmbedding(BaseFeaturesExtractor):
    """Embedding (batch, 30) of the units that a batch of positions (batch, 2) stands before; learned with the agent."""

    def __init__(self, observation_space: gymnasium.spaces.Box, units: Sequence[Unit]) -> None:
        super().__init__(observation_space, EMBEDDING)
        nodes, adjacency = unit_graph(units)
        # Not part of the agent: another model's graph may have other sizes.
        self.register_buffer("nodes", nodes, persistent=False)
        self.register_buffer("propagate", normalised(adjacency), persistent=False)
        self.encoder = nn.ModuleList([nn.Linear(nodes.shape[1], EMBEDDING), nn.Linear(EMBEDDING, EMBEDDING)])
        self.decoder = nn.LSTM(EMBEDDING, EMBEDDING)
        self.combine = nn.Linear(EMBEDDING + 1, EMBEDDING)
        self._units = len(units)

    def embeddings(self) -> torch.Tensor:
        """Embeddings (units, 30): two graph convolutions (Kipf and Welling 2017), then the LSTM over the units.

        The decoder starts from the mean over all nodes, which is the embedding of the whole graph.
        """
        hidden = self.nodes
        for layer in self.encoder:
            hidden = torch.relu(self.propagate @ layer(hidden))
        whole = hidden.mean(dim=0, keepdim=True)
        decoded, _ = self.decoder(hidden[: self._units], (whole, torch.zeros_like(whole)))
        return decoded

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Embedding of the unit at hand, combined with the action before it, as AGMC's decoder does."""
        at_hand = self.embeddings()[positions[:, 0].round().long()]
        return torch.relu(self.combine(torch.cat([at_hand, positions[:, 1:]], dim=1)))


def unit_graph(units: Sequence[Unit]) -> tuple[torch.Tensor, torch.Tensor]:
    """Node features (nodes, kinds + 3) and directed data flow (nodes, nodes) of a decoder-only transformer.

    The first nodes are the units; then the residual stream, at the start and after everything that is added to it.
    Units that read the same input stand side by side. Features are one-hot kind (the stream's last) and the unit's
    items and weights, min-max scaled.
    """
    edges, stream = [], len(units)
    sources = [stream]  # nodes that the next unit reads
    branches = itertools.groupby(range(len(units)), lambda index: (units[index].layer, tap_of(units[index].kind)))
    for indices in [list(group) for _, group in branches]:
        edges += itertools.product(sources, indices)
        sources = indices
        if units[indices[0]].kind in _WRITERS:
            edges += itertools.product([*indices, stream], [stream + 1])
            stream += 1
            sources = [stream]
    kinds, sizes = kinds_of(units), torch.from_numpy(scaled_sizes(units)[:, [2, 4]]).float()
    nodes = torch.zeros(stream + 1, len(kinds) + 3)
    nodes[torch.arange(len(units)), [kinds.index(unit.kind) for unit in units]] = 1
    nodes[len(units) :, len(kinds)] = 1
    nodes[: len(units), -2:] = sizes
    adjacency = torch.zeros(len(nodes), len(nodes))
    adjacency[tuple(torch.tensor(edges).T)] = 1
    return nodes, adjacency


def normalised(adjacency: torch.Tensor) -> torch.Tensor:
    """D^-1/2 (A + Aᵀ + I) D^-1/2: the propagation matrix of a graph convolution (Kipf and Welling 2017)."""
    joined = adjacency + adjacency.T + torch.eye(len(adjacency))
    scale = joined.sum(dim=1).rsqrt()
    return scale[:, None] * joined * scale


run = partial(ddpg.search, settings=SETTINGS, observer=Position, extractor=GraphEmbedding)


def record() -> Json:
    """The size of embeddings decides the result too."""
    return {"embedding": EMBEDDING}
