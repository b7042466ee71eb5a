"""Tiny random models of every family, and what tests ask of them."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

FAMILIES = ("opt", "llama", "mistral")
VOCABULARY = 50
PAD = 1


def tiny_config(family: str, **overrides):
    """A config with three layers of four heads (Mistral: two key-value groups), hidden 32."""
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "pad_token_id": PAD,
        "bos_token_id": 2,
        "eos_token_id": 2,
    }
    gated = {"intermediate_size": 44, "tie_word_embeddings": False, "rms_norm_eps": 1e-5}
    families = {
        "opt": (OPTConfig, {"ffn_dim": 48, "word_embed_proj_dim": 32, "dropout": 0.0}),
        "llama": (LlamaConfig, gated),
        "mistral": (MistralConfig, {**gated, "num_key_value_heads": 2, "sliding_window": 16}),
    }
    cls, own = families[family]
    return cls(**{**sizes, **own, **overrides})


def tiny_model(family: str, seed: int = 0, **overrides) -> PreTrainedModel:
    """A random model in evaluation mode whose every tensor, biases and norms included, differs from its default."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(tiny_config(family, **overrides), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            else:
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[-1] ** 0.5)
    return model.eval().requires_grad_(False)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer over the tiny models' vocabulary."""
    words = {f"w{index}": index for index in range(VOCABULARY)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="w0")), pad_token="w1", bos_token="w2", eos_token="w2"
    )


def tiny_ids(windows: int = 6, seqlen: int = 16, seed: int = 0) -> np.ndarray:
    """Random token ids (windows, seqlen) int32, free of special tokens."""
    return np.random.default_rng(seed).integers(3, VOCABULARY, size=(windows, seqlen)).astype(np.int32)


@torch.no_grad()
def logits(model: PreTrainedModel, ids: np.ndarray | None = None, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Logits (windows, seqlen, vocabulary) without a cache, over held-out ids by default."""
    ids = tiny_ids(seed=99) if ids is None else ids
    return model(torch.from_numpy(ids).long(), attention_mask=mask, use_cache=False).logits


def left_padded(ids: np.ndarray, pads: int = 5) -> tuple[np.ndarray, torch.Tensor]:
    """Ids whose first ``pads`` tokens of every other window are padding, and the attention mask that says so."""
    padded, mask = ids.copy(), torch.ones(ids.shape, dtype=torch.long)
    padded[::2, :pads], mask[::2, :pads] = PAD, 0
    return padded, mask


def assert_generates_alike(model: PreTrainedModel) -> None:
    """Greedy generation of a left-padded batch gives the same tokens with and without a cache."""
    ids, mask = left_padded(tiny_ids(4, 10, seed=7))
    options = {"attention_mask": mask, "do_sample": False, "max_new_tokens": 8, "min_new_tokens": 8}
    cached, plain = (model.generate(torch.from_numpy(ids).long(), use_cache=c, **options) for c in (True, False))
    assert torch.equal(cached, plain)


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    """Every model family in turn."""
    return request.param
