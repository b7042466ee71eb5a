"""LLaMA and Mistral: RMSNorm, rotary positions, gated FFN, key-value groups, no biases by default."""

import torch
from torch import nn
from transformers import PretrainedConfig

from sparsitysolver.models.adapter import Adapter, Layer
from sparsitysolver.models.shape import Shape

_ATTRIBUTES = {
    "query": ("self_attn", "q_proj"),
    "key": ("self_attn", "k_proj"),
    "value": ("self_attn", "v_proj"),
    "attention_output": ("self_attn", "o_proj"),
    "gate": ("mlp", "gate_proj"),
    "up": ("mlp", "up_proj"),
    "ffn_output": ("mlp", "down_proj"),
}


class LlamaAdapter(Adapter):
    """Module paths of ``LlamaForCausalLM``."""

    family = "llama"
    model_types = ("llama",)
    bias_options = ("attention_bias", "mlp_bias")
    idle = (r"rotary_emb\.(inv_freq|cos_cached|sin_cached)$",)  # follow from config.json
    announced_by = (
        (r"self_attn\.\w+_proj\.bias$", '"attention_bias": true (biases on q, k, v and o)'),
        (r"mlp\.\w+_proj\.bias$", '"mlp_bias": true'),
    )

    @classmethod
    def shape_of(cls, config: PretrainedConfig) -> Shape:
        """Dense sizes; ``head_dim`` may differ from hidden / heads."""
        heads, groups = config.num_attention_heads, config.num_key_value_heads
        return Shape(
            family=cls.family,
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            groups=groups,
            heads_per_group=heads // groups,
            head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
            ffn=config.intermediate_size,
            ffn_inputs=2,
        )

    @property
    def decoder(self) -> nn.Module:
        """``LlamaModel`` or ``MistralModel``."""
        return self.model.model

    @property
    def embeddings(self) -> tuple[nn.Embedding, ...]:
        """The token table; positions are rotary."""
        return (self.decoder.embed_tokens,)

    @property
    def final_norm_name(self) -> str:
        """``norm``."""
        return "norm"

    def layer(self, module: nn.Module) -> Layer:
        """Parts of a ``LlamaDecoderLayer``."""
        attention, mlp = module.self_attn, module.mlp
        return Layer(
            module=module,
            attention=attention,
            attention_norm=module.input_layernorm,
            query=attention.q_proj,
            key=attention.k_proj,
            value=attention.v_proj,
            attention_output=attention.o_proj,
            ffn_norm=module.post_attention_layernorm,
            ffn_inputs=(mlp.gate_proj, mlp.up_proj),
            ffn_output=mlp.down_proj,
        )

    def ffn(self, module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        """down(act(gate(hidden)) * up(hidden))."""
        return module.mlp(hidden)

    def set_linear(self, module: nn.Module, role: str, linear: nn.Module) -> None:
        """Replace a linear by role."""
        holder, name = _ATTRIBUTES[role]
        setattr(getattr(module, holder), name, linear)

    def set_norms(self, module: nn.Module, attention_norm: nn.Module, ffn_norm: nn.Module) -> None:
        """Replace both RMSNorms."""
        module.input_layernorm = attention_norm
        module.post_attention_layernorm = ffn_norm


class MistralAdapter(LlamaAdapter):
    """``MistralForCausalLM``: LLaMA's paths; grouped-query attention and a sliding window are in its config."""

    family = "mistral"
    model_types = ("mistral",)
    bias_options = None
    announced_by = ()  # no option for biases
