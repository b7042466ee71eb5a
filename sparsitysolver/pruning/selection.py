"""From kept counts to kept items: the scores of every unit, computed once from the dense model."""

from dataclasses import dataclass

import torch

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.pruning.scores import criterion, group_scores, kept_indices
from sparsitysolver.statistics.collect import Statistics


@dataclass(frozen=True)
class Selection:
    """Item scores of every unit, in the order of ``structured_units``: groups of layer 0, neurons of layer 0, …"""

    scores: list[torch.Tensor]

    def kept(self, unit: int, count: int) -> torch.Tensor:
        """Indices of the ``count`` best items of a unit, ascending."""
        return kept_indices(self.scores[unit], count)


def score_units(adapter: Adapter, statistics: Statistics, criterion_name: str) -> Selection:
    """Score groups and neurons of all layers by a structured criterion (paper, section 3.1)."""
    score = criterion(criterion_name)
    channels = adapter.shape.group_channels
    scores = []
    for index, layer in enumerate(adapter.layers):
        attention = layer.attention_output.weight.detach().cpu()
        scores.append(group_scores(score(attention, _cpu(statistics, index, "attention_output")), channels))
        scores.append(score(layer.ffn_output.weight.detach().cpu(), _cpu(statistics, index, "ffn_output")))
    return Selection(scores)


def _cpu(statistics: Statistics, layer: int, tap: str):  # noqa: ANN202 - Moments, on the CPU
    moments = statistics.of(layer, tap)
    moments.total, moments.squares = moments.total.cpu(), moments.squares.cpu()
    return moments
