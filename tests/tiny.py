"""Tiny random models of every family, and what tests ask of them. No test uses the network or the user's caches."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

SCRATCH = Path(tempfile.mkdtemp(prefix="sparsitysolver-tests-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
# Read by the hub's client when it is imported: it must find neither network nor the user's cache.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(SCRATCH / "hub"), "SPARSITYSOLVER_CACHE": str(SCRATCH / "cache")}
os.environ.pop("SPARSITYSOLVER_ASSETS", None)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordLevel  # noqa: E402
from tokenizers.pre_tokenizers import WhitespaceSplit  # noqa: E402
from tokenizers.processors import TemplateProcessing  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

torch.set_num_threads(1)  # tiny matrices gain nothing from more, and lose much beside other processes

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


def tiny_tokenizer(template: str = "<s> $A") -> PreTrainedTokenizerFast:
    """A word-level tokenizer (<unk>, <pad>, <s>, w3, w4, …) that puts <s> first, as OPT's puts </s>.

    ``template``: what it makes of a text $A, where it is to be another.
    """
    special = ("<unk>", "<pad>", "<s>")
    words = {name: index for index, name in enumerate([*special, *(f"w{index}" for index in range(3, VOCABULARY))])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=[("<s>", 2)])
    unk, pad, start = special
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=unk, pad_token=pad, bos_token=start, eos_token=start
    )


def tiny_text(words: int = 400, seed: int = 0) -> str:
    """Random words of the tiny tokenizer: one token each, eight to a line."""
    ids = np.random.default_rng(seed).integers(3, VOCABULARY, size=words)
    lines = [ids[start : start + 8] for start in range(0, words, 8)]
    return "\n".join(" ".join(f"w{index}" for index in line) for line in lines)


@functools.cache
def tiny_folder(family: str = "llama", seed: int = 0) -> Path:
    """A saved tiny model with its tokenizer; read it, never write to it."""
    folder = SCRATCH / f"{family}-{seed}"
    tiny_model(family, seed).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def tiny_texts(assets: Path, words: int = 400) -> None:
    """Text that tiny models read, as WikiText-2 of an assets folder."""
    (assets / "wikitext2").mkdir(parents=True)
    for seed, split in enumerate(("train", "valid", "test")):
        (assets / "wikitext2" / f"{split}.txt").write_text(tiny_text(words, seed))


def tiny_assets(folder: Path, model: str) -> Path:
    """An assets folder in which a random OPT stands under a model's name, with text that it reads."""
    shutil.copytree(tiny_folder("opt"), folder / "models" / model)
    tiny_texts(folder)
    return folder


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
