"""Structured pruning that physically shrinks a layer: rows of the input linears, columns of the output linear."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.structure import resize_attention
from sparsitysolver.pruning.scores import channels_of


def keep_rows(linear: nn.Linear, rows: torch.Tensor) -> None:
    """Keep some output rows of a linear, weight and bias."""
    linear.weight = nn.Parameter(linear.weight.detach()[rows].clone(), requires_grad=False)
    if linear.bias is not None:
        linear.bias = nn.Parameter(linear.bias.detach()[rows].clone(), requires_grad=False)
    linear.out_features = len(rows)


def set_columns(linear: nn.Linear, weight: torch.Tensor) -> None:
    """Give a linear a new weight with fewer input columns (out, kept); its bias stays."""
    linear.weight = nn.Parameter(weight.detach().clone().contiguous(), requires_grad=False)
    linear.in_features = weight.shape[1]


def slice_attention(
    adapter: Adapter, index: int, groups: torch.Tensor, output_weight: torch.Tensor | None = None
) -> None:
    """Keep the attention groups ``groups`` of layer ``index``, in that order.

    ``output_weight``: the output projection's new weight (hidden, kept channels); its kept columns by default.
    """
    shape, module = adapter.shape, adapter.layer_modules[index]
    layer = adapter.layer(module)
    channels = channels_of(groups, shape.group_channels)
    keep_rows(layer.query, channels)
    for linear in (layer.key, layer.value):
        keep_rows(linear, channels_of(groups, shape.head_dim))
    output = layer.attention_output
    set_columns(output, output.weight[:, channels] if output_weight is None else output_weight)
    resize_attention(adapter, module, len(groups))


def slice_ffn(adapter: Adapter, index: int, neurons: torch.Tensor, output_weight: torch.Tensor | None = None) -> None:
    """Keep the FFN neurons ``neurons`` of layer ``index``; see :func:`slice_attention`."""
    layer = adapter.layers[index]
    for linear in layer.ffn_inputs:
        keep_rows(linear, neurons)
    set_columns(layer.ffn_output, layer.ffn_output.weight[:, neurons] if output_weight is None else output_weight)


@contextmanager
def dense_again(adapter: Adapter) -> Iterator[None]:
    """Whatever the block slices of a dense model is as before when it ends; the dense weights are kept, not copied."""
    attentions = [(module, adapter.layer(module).attention) for module in adapter.layer_modules]
    linears = [
        (linear, linear.weight, linear.bias, linear.in_features, linear.out_features)
        for _, linear in adapter.prunable_linears()
    ]
    try:
        yield
    finally:
        for module, attention in attentions:
            adapter.replace(module, "attention", attention)
            adapter.group_count_changed(attention, adapter.shape.groups)
        for linear, *before in linears:
            linear.weight, linear.bias, linear.in_features, linear.out_features = before
