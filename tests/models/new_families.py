"""Random models of three layers of families beyond the paper's, each with something that LLaMA has not."""

import torch
from tiny import VOCABULARY
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    LlamaConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 44,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
SLIDING = {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
SCALED = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
CONFIGS = {
    "llama": lambda: LlamaConfig(
        **SIZES,
        tie_word_embeddings=True,
        rope_parameters={**SCALED, "rope_theta": 1e4, "original_max_position_embeddings": 16},
    ),
    "qwen2": lambda: Qwen2Config(**SIZES),
    "qwen3": lambda: Qwen3Config(**SIZES, head_dim=8),
    "gemma2": lambda: Gemma2Config(**SIZES, **SLIDING, head_dim=8, final_logit_softcapping=2.0),
    "gemma3_text": lambda: Gemma3TextConfig(**SIZES, **SLIDING, head_dim=8, query_pre_attn_scalar=8),
    "phi3": lambda: Phi3Config(**SIZES),
}


def random_model(name):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[name](), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else 0.2))
    return model.eval().requires_grad_(False)
