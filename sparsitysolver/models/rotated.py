"""SliceGPT's model: a rotated, narrower residual stream, scale-free norms, and a rotation on every shortcut.

The decoder layer computes, with k the stream's width (SliceGPT, sections 3.3 and 3.4):

    middle = hidden @ Q_attention + attention(norm(hidden))
    output = middle @ Q_ffn + ffn(norm(middle))

Both Q are stored as bias-free linears (weight Qᵀ). Nothing after the last layer is sliced: its ``Q_ffn`` is (k, d).
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sparsitysolver.models.modules import empty_linear

if TYPE_CHECKING:
    from sparsitysolver.models.adapter import Adapter

RMSN_EPS = 1e-5  # fixed in the published method, whatever the family's own


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

    def __init__(self, adapter: "Adapter", layer: nn.Module) -> None:
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


def rotate_skeleton(adapter: "Adapter") -> None:
    """Put :class:`RotatedLayer` and :class:`RotatedNorm` in place of layers and norms; their linears stay as they are.

    The shortcuts hold arbitrary values. The dense gains and biases of the norms are lost: fold them first.
    """
    width = adapter.shape.hidden
    for index, module in enumerate(adapter.layer_modules):
        layer = RotatedLayer(adapter, module)
        for norm in ("attention_norm", "ffn_norm"):
            adapter.replace(layer, norm, RotatedNorm(width))
        layer.train(module.training)
        _keep_device_hook(module, layer)
        adapter.layer_modules[index] = layer
    setattr(adapter.decoder, adapter.final_norm_name, RotatedNorm(width))
    # A layer adds its shortcuts to what its parts return: no device map may cut through it.
    adapter.model._no_split_modules = {*(adapter.model._no_split_modules or ()), RotatedLayer.__name__}


def apply_rotated(adapter: "Adapter", structure: dict[str, Any]) -> None:
    """Give a dense skeleton the shapes of a ``rotated`` structure; parameter values are left arbitrary."""
    shape, width = adapter.shape, structure["width"]
    rotate_skeleton(adapter)
    for index, module in enumerate(adapter.layer_modules):
        layer = adapter.layer(module)
        leaving = shape.hidden if index == shape.layers - 1 else width
        outputs = {"attention_output": width, "ffn_output": leaving}
        for role, linear in zip(adapter.roles(), layer.linears, strict=True):
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


def set_table(table: nn.Embedding, weight: torch.Tensor) -> None:
    """Give an embedding table a new weight (rows, width)."""
    table.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    table.embedding_dim = weight.shape[1]


def _keep_device_hook(old: nn.Module, new: nn.Module) -> None:
    """Models spread over several devices move each layer's inputs by a hook on the layer: carry it over."""
    hook = getattr(old, "_hf_hook", None)
    if hook is not None:
        from accelerate.hooks import add_hook_to_module

        add_hook_to_module(new, hook)
