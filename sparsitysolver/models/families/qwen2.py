"""Qwen2 and Qwen2.5: LLaMA's paths; query, key and value have biases."""

from sparsitysolver.models.families import llama


class Family(llama.Family):
    """``Qwen2ForCausalLM``."""

    title = "Qwen2"
    bias_options = None
    announced_by = ()
    biased = ("query", "key", "value")
