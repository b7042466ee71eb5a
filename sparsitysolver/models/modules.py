"""Modules that a pruned model may hold in place of stock ones."""

import torch
from torch import nn
from transformers import Cache

# Stub size of the cache entry of an attention without heads: one head of one channel.
_STUB = 1


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
    """A linear as the product of two: ``up(down(x))``, ranks far below both sizes (SVD-LLM)."""

    def __init__(
        self,
        in_features: int,
        rank: int,
        out_features: int,
        bias: bool,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.down = nn.Linear(in_features, rank, bias=False, dtype=dtype, device=device)
        self.up = nn.Linear(rank, out_features, bias=bias, dtype=dtype, device=device)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., in_features) to (..., out_features)."""
        return self.up(self.down(hidden))


def empty_linear(like: nn.Module, out_features: int, in_features: int, bias: bool) -> nn.Linear:
    """An uninitialised linear on the device and in the dtype of ``like``."""
    weight = like.weight
    return nn.utils.skip_init(nn.Linear, in_features, out_features, bias=bias, dtype=weight.dtype, device=weight.device)
