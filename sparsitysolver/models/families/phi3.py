"""Phi-3: query, key and value are one matrix, and so are gate and up: here each is a linear of its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from sparsitysolver.models.families import llama

if TYPE_CHECKING:
    import torch
    from torch import nn

FUSED = {"self_attn": ("qkv_proj", ("query", "key", "value")), "mlp": ("gate_up_proj", ("gate", "up"))}


class Family(llama.Family):
    """``Phi3ForCausalLM``."""

    title = "Phi-3"
    paths = llama.Family.paths | {
        role: f"{holder}.{name}.{role}" for holder, (name, roles) in FUSED.items() for role in roles
    }
    bias_options = None
    announced_by = ()

    def split(self) -> None:
        for module in self.layer_modules:
            for holder, (name, roles) in FUSED.items():
                whole = getattr(getattr(module, holder), name)
                if hasattr(whole, "weight"):
                    rows = [self.shape.matrices[role][0] for role in roles]
                    setattr(getattr(module, holder), name, side_by_side(whole, roles, rows))

    def fused(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
        import torch

        stock = dict(state)
        for holder, (name, roles) in FUSED.items():
            for first in [key for key in state if key.endswith(f"{holder}.{name}.{roles[0]}.weight")]:
                place = first.removesuffix(f"{roles[0]}.weight")
                stock[f"{place}weight"] = torch.cat([stock.pop(f"{place}{role}.weight") for role in roles])
        return stock

    def group_count_changed(self, attention: nn.Module, groups: int) -> None:
        attention.num_key_value_heads = groups
        attention.config = copy.copy(self.config)  # by whose heads the fused output is cut
        attention.config.num_attention_heads = groups * self.shape.heads_per_group


def side_by_side(whole: nn.Module, roles: tuple[str, ...], rows: list[int]) -> nn.Module:
    """A module of one linear a role, whose outputs stand beside each other as those of ``whole`` (out, in) do."""
    import torch
    from torch import nn

    class SideBySide(nn.Module):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return torch.cat([linear(hidden) for linear in self.children()], dim=-1)

    parts = SideBySide()
    for role, weight in zip(roles, whole.weight.detach().split(rows), strict=True):
        linear = nn.Linear(*weight.T.shape, bias=False, device="meta")
        linear.weight = nn.Parameter(weight.clone(), requires_grad=whole.weight.requires_grad)
        parts.add_module(role, linear)
    return parts
