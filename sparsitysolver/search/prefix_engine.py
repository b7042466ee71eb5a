"""The engine of a structured episode: permute once, prune by prefix (design, section 6).

Scores do not change during a search. Heads and neurons are sorted by score once, which leaves the model's function as
it is; a candidate is then a set of prefix views of the sorted weights: no copies, no masks, and a smaller forward pass.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.structure import zero_attention
from sparsitysolver.pruning.scores import channels_of, ranking
from sparsitysolver.pruning.slicing import keep_rows, set_columns


class PrefixEngine:
    """A model whose units can be cut to any size in no time; it owns the model it is given.

    Args:
        adapter: the dense model; its heads and neurons are reordered in place.
        scores: of the items of all units, in the order of ``structured_units``.
    """

    def __init__(self, adapter: Adapter, scores: Sequence[torch.Tensor]) -> None:
        self.adapter = adapter
        self._full: list[list[tuple[nn.Module, int, torch.Tensor, torch.Tensor | None]]] = []
        self._attentions: list[nn.Module] = []
        self._applied: list[int | None] = []
        for index, module in enumerate(adapter.layer_modules):
            self._sort_attention(index, ranking(scores[2 * index]))
            self._sort_ffn(index, ranking(scores[2 * index + 1]))
            self._attentions.append(adapter.layer(module).attention)

    def _sort_attention(self, index: int, order: torch.Tensor) -> None:
        shape, layer = self.adapter.shape, self.adapter.layers[index]
        order = order.to(layer.query.weight.device)
        channels = channels_of(order, shape.group_channels)
        key_channels = channels_of(order, shape.head_dim)
        keep_rows(layer.query, channels)
        keep_rows(layer.key, key_channels)
        keep_rows(layer.value, key_channels)
        set_columns(layer.attention_output, layer.attention_output.weight[:, channels])
        widths = (shape.group_channels, shape.head_dim, shape.head_dim)
        self._remember(layer.attention_inputs, widths, layer.attention_output, shape.group_channels)

    def _sort_ffn(self, index: int, order: torch.Tensor) -> None:
        layer = self.adapter.layers[index]
        order = order.to(layer.ffn_output.weight.device)
        for linear in layer.ffn_inputs:
            keep_rows(linear, order)
        set_columns(layer.ffn_output, layer.ffn_output.weight[:, order])
        self._remember(layer.ffn_inputs, (1,) * len(layer.ffn_inputs), layer.ffn_output, 1)

    def _remember(
        self, inputs: Sequence[nn.Module], widths: Sequence[int], output: nn.Module, output_width: int
    ) -> None:
        """Keep the full weights of one unit: input linears lose rows, the output linear loses columns."""
        unit = [
            (linear, width, linear.weight.data, None if linear.bias is None else linear.bias.data)
            for linear, width in zip(inputs, widths, strict=True)
        ]
        unit.append((output, -output_width, output.weight.data, None))
        self._full.append(unit)
        self._applied.append(None)

    def apply(self, kept: Sequence[int]) -> None:
        """Make the model the candidate that keeps ``kept[i]`` items of unit i."""
        for unit, count in enumerate(kept):
            if self._applied[unit] == count:
                continue
            if unit % 2 == 0:
                self._set_groups(unit // 2, count)
            for linear, width, weight, bias in self._full[unit]:
                if width < 0:
                    linear.weight.data = weight[:, : -width * count]
                    continue
                linear.weight.data = weight[: width * count]
                if bias is not None:
                    linear.bias.data = bias[: width * count]
            self._applied[unit] = count

    def _set_groups(self, index: int, count: int) -> None:
        module, attention = self.adapter.layer_modules[index], self._attentions[index]
        self.adapter.replace(module, "attention", attention)
        self.adapter.group_count_changed(attention, count)
        if count == 0:
            self.adapter.replace(module, "attention", zero_attention(self.adapter, module))

    def losses(self, kept: Sequence[int], windows: torch.Tensor) -> np.ndarray:
        """Mean loss (nats per token) of each window (windows, seqlen) under a candidate."""
        self.apply(kept)
        return window_losses(self.adapter, windows)
