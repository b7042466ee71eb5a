"""The shape of a pruned model as data: kept in ``config.json``, applied to a dense skeleton before weights are loaded.

A structure is ``{"format": 1, "kind": ..., ...}``; ``kind`` is ``sliced`` (per-layer group and neuron counts),
``low_rank`` (rank per linear) or ``rotated`` (SliceGPT). Unknown kinds and formats are refused.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.modules import LowRankLinear, ZeroAttention, empty_linear
from sparsitysolver.models.rotated import apply_rotated

CONFIG_FIELD = "sparsitysolver"
FORMAT = 1

Structure = dict[str, Any]


def sliced_structure(groups: list[int], neurons: list[int], biases: tuple[bool, bool] | None = None) -> Structure:
    """Structure of a model whose layers hold ``groups[i]`` attention groups and ``neurons[i]`` FFN neurons.

    ``biases``: whether attention output and FFN output carry a bias, where that differs from the family's own
    (FLAP adds them); None leaves the family's.
    """
    structure: Structure = {"format": FORMAT, "kind": "sliced", "groups": groups, "neurons": neurons}
    if biases is not None:
        structure["output_biases"] = list(biases)
    return structure


def low_rank_structure(ranks: dict[str, int]) -> Structure:
    """Structure of a model whose linears named ``layers.3.query`` … are products of the given ranks."""
    return {"format": FORMAT, "kind": "low_rank", "ranks": ranks}


def rotated_structure(width: int) -> Structure:
    """Structure of a model whose residual stream has ``width`` channels up to the output of the last layer."""
    return {"format": FORMAT, "kind": "rotated", "width": width}


def apply_structure(adapter: Adapter, structure: Structure) -> None:
    """Give a dense skeleton the shapes of ``structure``; parameter values are left arbitrary."""
    kinds: dict[str, Callable[[Adapter, Structure], None]] = {
        "sliced": _apply_sliced,
        "low_rank": _apply_low_rank,
        "rotated": apply_rotated,
    }
    if structure.get("format") != FORMAT:
        raise SparsitySolverError(
            f"pruned model of format {structure.get('format')} found; this version reads format {FORMAT}."
        )
    if structure["kind"] not in kinds:
        raise unknown_name("structure of a pruned model", structure["kind"], kinds)
    kinds[structure["kind"]](adapter, structure)


def resize_attention(adapter: Adapter, module: nn.Module, groups: int) -> None:
    """Tell a layer that its attention projections hold ``groups`` groups; none left means :class:`ZeroAttention`."""
    attention = adapter.layer(module).attention
    adapter.group_count_changed(attention, groups)
    if groups == 0:
        adapter.replace(module, "attention", zero_attention(adapter, module))


def zero_attention(adapter: Adapter, module: nn.Module) -> ZeroAttention:
    """A :class:`ZeroAttention` that shares the projections of a layer's attention."""
    layer = adapter.layer(module)
    names = {child: name for name, child in layer.attention.named_children()}
    return ZeroAttention(layer.attention, names[layer.attention_output])


def _apply_sliced(adapter: Adapter, structure: Structure) -> None:
    shape = adapter.shape
    biases = structure.get("output_biases", [None, None])
    for module, groups, neurons in zip(adapter.layer_modules, structure["groups"], structure["neurons"], strict=True):
        sizes = {
            "query": (groups * shape.group_channels, shape.hidden),
            "key": (groups * shape.head_dim, shape.hidden),
            "value": (groups * shape.head_dim, shape.hidden),
            "attention_output": (shape.hidden, groups * shape.group_channels),
            "ffn_output": (shape.hidden, neurons),
        } | dict.fromkeys(adapter.roles()[4:-1], (neurons, shape.hidden))
        layer = adapter.layer(module)
        for role, linear in zip(adapter.roles(), layer.linears, strict=True):
            forced = {"attention_output": biases[0], "ffn_output": biases[1]}.get(role)
            bias = linear.bias is not None if forced is None else forced
            adapter.replace(module, role, empty_linear(linear, *sizes[role], bias=bias))
        resize_attention(adapter, module, groups)


def _apply_low_rank(adapter: Adapter, structure: Structure) -> None:
    for index, module in enumerate(adapter.layer_modules):
        for role, linear in zip(adapter.roles(), adapter.layer(module).linears, strict=True):
            rank = structure["ranks"][f"layers.{index}.{role}"]
            with torch.device(linear.weight.device):
                factors = LowRankLinear(
                    linear.in_features,
                    rank,
                    linear.out_features,
                    linear.bias is not None,
                    linear.weight.dtype,
                )
            adapter.replace(module, role, factors)
