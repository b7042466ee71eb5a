"""Shapes of pruned models: kept as data in ``config.json``, applied to a dense skeleton before weights are loaded.

A structure is ``{"format": 1, "kind": ..., ...}``; ``kind`` is ``sliced`` (per-layer group and neuron counts),
``low_rank`` (rank per linear) or ``rotated`` (SliceGPT, sections 3.3 and 3.4). In a rotated model the residual stream
has k channels and the decoder layer computes:

    middle = hidden @ Q_attention + attention(norm(hidden))
    output = middle @ Q_ffn + ffn(norm(middle))

Both Q are stored as bias-free linears (weight Qᵀ). Nothing after the last layer is sliced: its ``Q_ffn`` is (k, d).
"""

from dataclasses import replace
from typing import Any

import torch
from torch import nn
from transformers import Cache

from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.model_files import CONFIG_FIELD as CONFIG_FIELD  # noqa: PLC0414 - known by this name here
from sparsitysolver.models.adapter import Adapter

FORMAT = 1
RMSN_EPS = 1e-5  # fixed in the published method, whatever the family's own
_STUB = 1  # of the cache entry of an attention without heads: one head of one channel

Structure = dict[str, Any]


def sliced_structure(groups: list[int], neurons: list[int], biases: tuple[bool, bool] | None = None) -> Structure:
    """Structure of a model whose layers hold ``groups[i]`` attention groups and ``neurons[i]`` FFN neurons.

    ``biases``: whether attention output and FFN output carry a bias; None leaves the family's (FLAP adds them).
    """
    added = {} if biases is None else {"output_biases": list(biases)}
    return {"format": FORMAT, "kind": "sliced", "groups": groups, "neurons": neurons, **added}


def low_rank_structure(ranks: dict[str, int]) -> Structure:
    """Structure of a model whose linears named ``layers.3.query`` … are products of the given ranks."""
    return {"format": FORMAT, "kind": "low_rank", "ranks": ranks}


def rotated_structure(width: int) -> Structure:
    """Structure of a model whose residual stream has ``width`` channels up to the output of the last layer."""
    return {"format": FORMAT, "kind": "rotated", "width": width}


def apply_structure(adapter: Adapter, structure: Structure) -> None:
    """Give a dense skeleton the shapes of ``structure``; parameter values are left arbitrary."""
    if structure.get("format") != FORMAT:
        raise SparsitySolverError(
            f"pruned model of format {structure.get('format')} found; this version reads format {FORMAT}."
        )
    KINDS[known("structure of a pruned model", structure["kind"], KINDS)](adapter, structure)


def _apply_sliced(adapter: Adapter, structure: Structure) -> None:
    forced = dict(zip(("attention_output", "ffn_output"), structure.get("output_biases", ()), strict=False))
    for module, groups, neurons in zip(adapter.layer_modules, structure["groups"], structure["neurons"], strict=True):
        for role, (rows, columns) in replace(adapter.shape, groups=groups, ffn=neurons).matrices.items():
            linear = adapter.layer(module).linears[role]
            bias = forced.get(role, linear.bias is not None)
            adapter.replace(module, role, empty_linear(linear, rows, columns, bias))
        resize_attention(adapter, module, groups)


def _apply_low_rank(adapter: Adapter, structure: Structure) -> None:
    for index, module in enumerate(adapter.layer_modules):
        for role, linear in adapter.layer(module).linears.items():
            adapter.replace(module, role, LowRankLinear(linear, structure["ranks"][f"layers.{index}.{role}"]))


def _apply_rotated(adapter: Adapter, structure: Structure) -> None:
    shape, width = adapter.shape, structure["width"]
    rotate_skeleton(adapter)
    for index, module in enumerate(adapter.layer_modules):
        layer = adapter.layer(module)
        leaving = shape.hidden if index == shape.layers - 1 else width
        outputs = {"attention_output": width, "ffn_output": leaving}
        for role, linear in layer.linears.items():
            sizes = (outputs[role], linear.in_features) if role in outputs else (linear.out_features, width)
            adapter.replace(module, role, empty_linear(linear, *sizes, bias=linear.bias is not None))
        module.attention_shortcut = empty_linear(layer.query, width, width, bias=False)
        module.ffn_shortcut = empty_linear(layer.query, leaving, width, bias=False)
    for table in adapter.embeddings:
        set_table(table, table.weight.new_empty(table.weight.shape[0], width))
    head = adapter.lm_head
    adapter.model.set_output_embeddings(
        empty_linear(head, *head.weight.shape, bias=adapter.subtracts_mean or head.bias is not None)
    )
    adapter.config.tie_word_embeddings = False


def empty_linear(like: nn.Module, out_features: int, in_features: int, bias: bool) -> nn.Linear:
    """An uninitialised linear on the device and in the dtype of ``like``."""
    weight = like.weight
    return nn.utils.skip_init(nn.Linear, in_features, out_features, bias=bias, dtype=weight.dtype, device=weight.device)


def set_table(table: nn.Embedding, weight: torch.Tensor) -> None:
    """Give an embedding table a new weight (rows, width)."""
    table.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    table.embedding_dim = weight.shape[1]


def resize_attention(adapter: Adapter, module: nn.Module, groups: int) -> None:
    """Tell a layer that its attention projections hold ``groups`` groups; none left means :class:`ZeroAttention`."""
    adapter.group_count_changed(adapter.layer(module).attention, groups)
    if groups == 0:
        adapter.replace(module, "attention", zero_attention(adapter, module))


def zero_attention(adapter: Adapter, module: nn.Module) -> "ZeroAttention":
    """A :class:`ZeroAttention` that shares the projections of a layer's attention."""
    layer = adapter.layer(module)
    names = {child: name for name, child in layer.attention.named_children()}
    return ZeroAttention(layer.attention, names[layer.attention_output])


class ZeroAttention(nn.Module):
    """Attention that has lost all its heads: it returns the output bias and still counts cached tokens.

    Keeps zero-sized projections under the family's own names, so that adapters and state dicts see nothing special.
    The cache entry matters: positions and masks are read off layer 0's cache length, which stays 0 where layer 0
    does not update it, and cached generation then goes silently wrong.
    """

    def __init__(self, attention: nn.Module, output_name: str) -> None:
        super().__init__()
        self.layer_idx = attention.layer_idx
        self.output_name = output_name
        for name, child in attention.named_children():
            self.add_module(name, child)

    def forward(
        self, hidden_states: torch.Tensor, past_key_values: Cache | None = None, **_: object
    ) -> tuple[torch.Tensor, None]:
        """Zeros (or the output bias) of the shape of ``hidden_states`` (batch, tokens, hidden)."""
        if past_key_values is not None:
            stub = hidden_states.new_zeros(hidden_states.shape[0], _STUB, hidden_states.shape[1], _STUB)
            past_key_values.update(stub, stub, self.layer_idx)
        nothing = hidden_states.new_zeros(*hidden_states.shape[:-1], 0)
        return getattr(self, self.output_name)(nothing), None


class LowRankLinear(nn.Module):
    """A linear as the product of two: ``up(down(x))``, ranks far below both sizes (SVD-LLM); values are arbitrary."""

    def __init__(self, like: nn.Linear, rank: int) -> None:
        super().__init__()
        self.in_features, self.out_features = like.in_features, like.out_features
        options = {"dtype": like.weight.dtype, "device": like.weight.device}
        self.down = nn.Linear(self.in_features, rank, bias=False, **options)
        self.up = nn.Linear(rank, self.out_features, bias=like.bias is not None, **options)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., in_features) to (..., out_features)."""
        return self.up(self.down(hidden))


class RotatedNorm(nn.Module):
    """x / √(Σ x² / d + eps) with d the width before slicing; gains and biases live in the following linears."""

    def __init__(self, original_width: int) -> None:
        super().__init__()
        self.original_width = original_width

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., k) to (..., k), computed in float32 at least."""
        wide = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        variance = wide.square().sum(dim=-1, keepdim=True) / self.original_width
        return (wide * torch.rsqrt(variance + RMSN_EPS)).to(hidden.dtype)

    def extra_repr(self) -> str:
        """Shown in the model's printout."""
        return f"original_width={self.original_width}, eps={RMSN_EPS}"


class RotatedLayer(nn.Module):
    """A decoder layer of any family whose shortcuts are rotated; it holds the stock layer's parts under their names."""

    def __init__(self, adapter: Adapter, layer: nn.Module) -> None:
        super().__init__()
        self.adapter = adapter
        for name, child in layer.named_children():
            self.add_module(name, child)
        hidden, like = adapter.shape.hidden, adapter.layer(layer).query
        self.attention_shortcut = empty_linear(like, hidden, hidden, bias=False)
        self.ffn_shortcut = empty_linear(like, hidden, hidden, bias=False)

    @property
    def shortcuts(self) -> tuple[nn.Linear, nn.Linear]:
        """Weights that the dense model does not have: they count against the achieved sparsity."""
        return (self.attention_shortcut, self.ffn_shortcut)

    def forward(self, hidden_states: torch.Tensor, use_cache: bool | None = None, **context: Any) -> torch.Tensor:
        """(batch, tokens, k_in) to (batch, tokens, k_out); ``context``: mask, positions and cache of the attention."""
        parts = self.adapter.layer(self)
        attended, _ = parts.attention(hidden_states=parts.attention_norm(hidden_states), **context)
        middle = self.attention_shortcut(hidden_states) + attended
        return self.ffn_shortcut(middle) + self.adapter.ffn(self, parts.ffn_norm(middle))


def rotate_skeleton(adapter: Adapter) -> None:
    """Put :class:`RotatedLayer` and :class:`RotatedNorm` in place of layers and norms; their linears stay as they are.

    The shortcuts hold arbitrary values. The dense gains and biases of the norms are lost: fold them first.
    """
    width = adapter.shape.hidden
    for index, module in enumerate(adapter.layer_modules):
        layer = RotatedLayer(adapter, module)
        for norm in ("attention_norm", "ffn_norm"):
            adapter.replace(layer, norm, RotatedNorm(width))
        layer.train(module.training)
        hook = getattr(module, "_hf_hook", None)  # moves the inputs of models spread over several devices
        if hook is not None:
            from accelerate.hooks import add_hook_to_module

            add_hook_to_module(layer, hook)
        adapter.layer_modules[index] = layer
    setattr(adapter.decoder, adapter.final_norm_name, RotatedNorm(width))
    # A layer adds its shortcuts to what its parts return: no device map may cut through it.
    adapter.model._no_split_modules = {*(adapter.model._no_split_modules or ()), RotatedLayer.__name__}


KINDS = {"sliced": _apply_sliced, "low_rank": _apply_low_rank, "rotated": _apply_rotated}
