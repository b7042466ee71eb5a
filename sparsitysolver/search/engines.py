"""The episode engine of a granularity: a model that can be any candidate at once."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.pruning.scores import score_units
from sparsitysolver.pruning.units import STRUCTURED
from sparsitysolver.search.prefix_engine import PrefixEngine
from sparsitysolver.search.rank_engine import RankEngine
from sparsitysolver.statistics.collect import Statistics


class Engine(Protocol):
    """What objectives need of an engine."""

    adapter: Adapter

    def apply(self, kept: Sequence[int]) -> None:
        """Make the model the candidate that keeps ``kept[i]`` items of unit i."""

    def losses(self, kept: Sequence[int], windows: torch.Tensor) -> np.ndarray:
        """Mean loss (nats per token) of each window (windows, seqlen) under a candidate."""


def build_engine(adapter: Adapter, statistics: Statistics, granularity: str, criterion: str) -> Engine:
    """The engine of a granularity around a dense model, which it takes over."""
    if granularity == STRUCTURED:
        return PrefixEngine(adapter, score_units(adapter, statistics, criterion))
    return RankEngine(adapter, statistics, criterion)
