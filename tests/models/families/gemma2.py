"""Gemma 2: norms before and behind attention and FFN, gains around 1, every other layer slides, logits are capped."""

from sparsitysolver.models.families import llama


class Family(llama.Family):
    title = "Gemma 2"
    paths = {**llama.Family.paths, "ffn_norm": "pre_feedforward_layernorm"}
    bias_options = None
    announced_by = ((r"self_attn\.\w+_proj\.bias$", '"attention_bias": true'),)
    norms_per_layer = 4
    tied = True

    def gain(self, norm):
        return 1 + norm.weight

    def unrotatable(self):
        return "norms stand behind attention and FFN too, and their gains cannot be folded"

    def logits(self, hidden):
        cap = self.config.final_logit_softcapping
        return super().logits(hidden) if cap is None else (super().logits(hidden) / cap).tanh() * cap
