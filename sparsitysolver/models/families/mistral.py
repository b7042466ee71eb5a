"""Mistral: LLaMA's paths; grouped-query attention and a sliding window are in its config."""

from sparsitysolver.models.families import llama


class Family(llama.Family):
    """``MistralForCausalLM``."""

    title = "Mistral"
    bias_options = None
    announced_by = ()  # no option for biases
