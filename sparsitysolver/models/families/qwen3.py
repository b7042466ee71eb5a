"""Qwen3: LLaMA's paths; a norm on every head of query and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsitysolver.models.families import llama

if TYPE_CHECKING:
    from sparsitysolver.models.shape import Shape


class Family(llama.Family):
    """``Qwen3ForCausalLM``."""

    title = "Qwen3"
    bias_options = None
    announced_by = ((r"self_attn\.\w+_proj\.bias$", '"attention_bias": true'),)

    @classmethod
    def fixed_parameters(cls, shape: Shape) -> int:
        return super().fixed_parameters(shape) + shape.layers * 2 * shape.head_dim
