"""OPT (pre-norm): learned positions, LayerNorm with bias, ReLU between fc1 and fc2, biases everywhere."""

import torch
from torch import nn
from transformers import PretrainedConfig

from sparsitysolver.models.adapter import Adapter, Layer, refuse
from sparsitysolver.models.shape import Shape

_ATTRIBUTES = {
    "query": ("self_attn", "q_proj"),
    "key": ("self_attn", "k_proj"),
    "value": ("self_attn", "v_proj"),
    "attention_output": ("self_attn", "out_proj"),
    "ffn_input": (None, "fc1"),
    "ffn_output": (None, "fc2"),
}


class OptAdapter(Adapter):
    """Module paths of ``OPTForCausalLM``."""

    family = "opt"
    model_types = ("opt",)
    subtracts_mean = True
    bias_options = ("enable_bias", "enable_bias")
    # fairseq's version, in the first checkpoints; the norm that "_remove_final_layer_norm" in config.json takes away
    idle = (r"(^|\.)decoder\.version$", r"(^|\.)decoder\.final_layer_norm\.")
    announced_by = (
        (r"(_proj|fc[12])\.bias$", '"enable_bias": true'),
        (r"layers\.\d+\.\w*layer_norm\.", '"layer_norm_elementwise_affine": true'),
    )

    @classmethod
    def shape_of(cls, config: PretrainedConfig) -> Shape:
        """Dense sizes; post-norm OPT (350M) is refused because no method here is defined for it."""
        if not config.do_layer_norm_before or config.word_embed_proj_dim != config.hidden_size:
            refuse(config, "only pre-norm OPT is; OPT-350M is post-norm with projected embeddings.")
        return Shape(
            family=cls.family,
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            groups=config.num_attention_heads,
            heads_per_group=1,
            head_dim=config.hidden_size // config.num_attention_heads,
            ffn=config.ffn_dim,
            ffn_inputs=1,
        )

    @property
    def decoder(self) -> nn.Module:
        """``OPTDecoder``."""
        return self.model.model.decoder

    @property
    def embeddings(self) -> tuple[nn.Embedding, ...]:
        """Token and position tables."""
        return (self.decoder.embed_tokens, self.decoder.embed_positions)

    @property
    def final_norm_name(self) -> str:
        """``final_layer_norm``."""
        return "final_layer_norm"

    def layer(self, module: nn.Module) -> Layer:
        """Parts of an ``OPTDecoderLayer``."""
        attention = module.self_attn
        return Layer(
            module=module,
            attention=attention,
            attention_norm=module.self_attn_layer_norm,
            query=attention.q_proj,
            key=attention.k_proj,
            value=attention.v_proj,
            attention_output=attention.out_proj,
            ffn_norm=module.final_layer_norm,
            ffn_inputs=(module.fc1,),
            ffn_output=module.fc2,
        )

    def ffn(self, module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        """fc2(ReLU(fc1(hidden)))."""
        return module.fc2(module.activation_fn(module.fc1(hidden)))

    def set_linear(self, module: nn.Module, role: str, linear: nn.Module) -> None:
        """Replace a linear by role."""
        holder, name = _ATTRIBUTES[role]
        setattr(getattr(module, holder) if holder else module, name, linear)

    def set_norms(self, module: nn.Module, attention_norm: nn.Module, ffn_norm: nn.Module) -> None:
        """Replace both LayerNorms."""
        module.self_attn_layer_norm = attention_norm
        module.final_layer_norm = ffn_norm

    def group_count_changed(self, attention: nn.Module, groups: int) -> None:
        """``OPTAttention`` reshapes by its own ``num_heads``."""
        attention.num_heads = groups
