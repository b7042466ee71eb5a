"""Gemma 2: norms before and behind attention and FFN, gains around 1, every other layer slides, logits are capped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsitysolver.models.families import llama

if TYPE_CHECKING:
    import torch
    from torch import nn


class Family(llama.Family):
    """``Gemma2ForCausalLM``."""

    title = "Gemma 2"
    paths = {**llama.Family.paths, "ffn_norm": "pre_feedforward_layernorm"}
    bias_options = None
    announced_by = ((r"self_attn\.\w+_proj\.bias$", '"attention_bias": true'),)
    bos = "every"  # without one its perplexity is many times as high
    norms_per_layer = 4
    tied = True

    def gain(self, norm: nn.Module) -> torch.Tensor:
        return 1 + norm.weight

    def unrotatable(self) -> str | None:
        return "norms stand behind attention and FFN too, and their gains cannot be folded"

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        cap = self.config.final_logit_softcapping
        return super().logits(hidden) if cap is None else (super().logits(hidden) / cap).tanh() * cap
