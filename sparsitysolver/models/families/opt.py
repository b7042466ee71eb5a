"""OPT (pre-norm): learned positions, LayerNorm with bias, ReLU between fc1 and fc2, biases everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.shape import ATTENTION_ROLES, Shape

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PretrainedConfig


class Family(Adapter):
    """``OPTForCausalLM``."""

    title = "OPT"
    decoder_path = "model.decoder"
    embedding_names = ("embed_tokens", "embed_positions")
    final_norm_name = "final_layer_norm"
    paths = {
        "attention": "self_attn",
        "attention_norm": "self_attn_layer_norm",
        "query": "self_attn.q_proj",
        "key": "self_attn.k_proj",
        "value": "self_attn.v_proj",
        "attention_output": "self_attn.out_proj",
        "ffn_norm": "final_layer_norm",
        "ffn_input": "fc1",
        "ffn_output": "fc2",
    }
    ffn_option = "ffn_dim"
    subtracts_mean = True
    bias_options = ("enable_bias", "enable_bias")
    # fairseq's version, in the first checkpoints; the norm that "_remove_final_layer_norm" in config.json takes away
    idle = (r"(^|\.)decoder\.version$", r"(^|\.)decoder\.final_layer_norm\.")
    announced_by = (
        (r"(_proj|fc[12])\.bias$", '"enable_bias": true'),
        (r"layers\.\d+\.\w*layer_norm\.", '"layer_norm_elementwise_affine": true'),
    )
    biased = (*ATTENTION_ROLES, "ffn_input", "ffn_output")
    tied = True
    positions = 2048 + 2  # they start at 2

    @classmethod
    def shape_of(cls, config: PretrainedConfig) -> Shape:
        if not config.do_layer_norm_before or config.word_embed_proj_dim != config.hidden_size:
            name = getattr(config, "_name_or_path", "") or config.model_type
            why = "only pre-norm OPT is; OPT-350M is post-norm with projected embeddings."
            raise SparsitySolverError(f"model '{name}' is not supported: {why}")
        return super().shape_of(config)

    def ffn(self, module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        return module.fc2(module.activation_fn(module.fc1(hidden)))

    def group_count_changed(self, attention: nn.Module, groups: int) -> None:
        attention.num_heads = groups  # by which OPTAttention reshapes

    def unrotatable(self) -> str | None:
        layer = self.layers[0]
        if layer.attention_norm.weight is None or layer.query.bias is None:
            return "LayerNorm without gain, or linears without bias"
        if self.decoder.final_layer_norm is None:
            return "there is no norm before the head, which so reads the stream's mean, and centring would remove that"
        return None
