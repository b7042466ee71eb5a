"""The engine of an unstructured episode: rank once, prune by comparing (design, section 6).

Scores do not change during a search. The rank of every weight within its row is stored once, one byte a weight in rows
of up to 255 columns and two in longer ones; a candidate is then ``rank < k``, made where a matrix is used and dropped
after it: nothing is sorted again, no weight is restored or copied.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.pruning.masks import check_scores, row_ranks
from sparsitysolver.pruning.scores import criterion as criterion_of
from sparsitysolver.pruning.units import UNSTRUCTURED
from sparsitysolver.statistics.collect import Statistics, tap_of


class RankedLinear(nn.Module):
    """A linear of which every row shows its ``kept`` best weights only; it shares weight and bias with the original."""

    def __init__(self, linear: nn.Linear, ranks: torch.Tensor) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.register_buffer("ranks", ranks, persistent=False)
        self.kept = linear.in_features

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., in_features) to (..., out_features)."""
        weight = self.weight
        if self.kept < self.in_features:
            weight = torch.where(self.ranks < self.kept, weight, 0)
        return functional.linear(hidden, weight, self.bias)


class RankEngine:
    """A model whose weight matrices can be cut to any number of weights a row; it owns the model it is given.

    Args:
        adapter: the dense model; its linears are wrapped in place.
        statistics: moments of the dense model at every distinct input (``ALL_TAPS``).
        criterion: unstructured criterion that ranks the weights of a row.
    """

    def __init__(self, adapter: Adapter, statistics: Statistics, criterion: str) -> None:
        self.adapter = adapter
        self._linears: list[RankedLinear] = []
        score = criterion_of(UNSTRUCTURED, criterion)
        for index, module in enumerate(adapter.layer_modules):
            for role, linear in adapter.layer(module).linears.items():
                scores = score(linear.weight, statistics.of(index, tap_of(role)))
                ranked = RankedLinear(linear, row_ranks(check_scores(scores, f"layers.{index}.{role}")))
                adapter.replace(module, role, ranked)
                self._linears.append(ranked)

    @property
    def rank_bytes(self) -> int:
        """Memory beyond the dense model, in bytes; a forward pass holds one masked matrix at a time on top."""
        return sum(linear.ranks.numel() * linear.ranks.element_size() for linear in self._linears)

    def apply(self, kept: Sequence[int]) -> None:
        """Make the model the candidate that keeps ``kept[i]`` weights in every row of matrix i."""
        for linear, count in zip(self._linears, kept, strict=True):
            linear.kept = count

    def losses(self, kept: Sequence[int], windows: torch.Tensor) -> np.ndarray:
        """Mean loss (nats per token) of each window (windows, seqlen) under a candidate."""
        self.apply(kept)
        return window_losses(self.adapter, windows)
