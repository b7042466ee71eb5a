"""Qwen3: LLaMA's paths; a norm on every head of query and key."""

from sparsitysolver.models.families import llama


class Family(llama.Family):
    title = "Qwen3"
    bias_options = None
    announced_by = ((r"self_attn\.\w+_proj\.bias$", '"attention_bias": true'),)

    @classmethod
    def fixed_parameters(cls, shape):
        return super().fixed_parameters(shape) + shape.layers * 2 * shape.head_dim
