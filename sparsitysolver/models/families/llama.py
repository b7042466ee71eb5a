"""LLaMA: RMSNorm, rotary positions, gated FFN, key-value groups, no biases by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsitysolver.models.adapter import Adapter

if TYPE_CHECKING:
    import torch
    from torch import nn


class Family(Adapter):
    """``LlamaForCausalLM``."""

    title = "LLaMA"
    decoder_path = "model"
    paths = {
        "attention": "self_attn",
        "attention_norm": "input_layernorm",
        "query": "self_attn.q_proj",
        "key": "self_attn.k_proj",
        "value": "self_attn.v_proj",
        "attention_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "ffn_output": "mlp.down_proj",
    }
    bias_options = ("attention_bias", "mlp_bias")
    idle = (r"rotary_emb\.(inv_freq|cos_cached|sin_cached)$",)  # follow from config.json
    announced_by = (
        (r"self_attn\.\w+_proj\.bias$", '"attention_bias": true (biases on q, k, v and o)'),
        (r"mlp\.\w+_proj\.bias$", '"mlp_bias": true'),
    )

    def ffn(self, module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        return module.mlp(hidden)
