"""Train one of the three tiny models that ship with the repository, from nothing but a seed.

    python -m sparsitysolver.models.train_tiny opt-tiny --out DIR

Each takes about five minutes on one core that has nothing else to do. The models are small and read many
facts, so hardly a weight is idle: pruning them costs perplexity at once, which makes them a test bed.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from sparsitysolver.data import minilang
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.records.files import atomic_folder

PAD, BOS = "<pad>", "</s>"  # "</s>" opens a document, as it does for OPT
VOCAB_SIZE = 1280
# words with their space, runs of line breaks, other signs: keeps the paragraph break one token
PIECES = r" ?[A-Za-z]+|\n+| ?[^\sA-Za-z]+|\s+"
WINDOW = 128  # tokens, also the largest position
HIDDEN = 64
INITIAL_STD = 0.06  # of the weights; the usual 0.02 is meant for wider models and starts slowly here
FIRST_WINDOWS = 64  # a quick check of a shipped model measures this many

# The family, and what differs from the sizes that all share.
ARCHITECTURES = {
    "opt-tiny": {
        "model_type": "opt",
        "word_embed_proj_dim": HIDDEN,
        "ffn_dim": 256,
        "init_std": INITIAL_STD,
        "dropout": 0.0,
        "activation_function": "relu",
        "do_layer_norm_before": True,
        "tie_word_embeddings": True,
    },
    "llama-tiny": {"model_type": "llama", "intermediate_size": 168, "initializer_range": INITIAL_STD},
    "mistral-tiny": {
        "model_type": "mistral",
        "num_key_value_heads": 4,
        "intermediate_size": 128,
        "initializer_range": INITIAL_STD,
        "sliding_window": 64,
    },
}


@dataclass(frozen=True)
class Settings:
    """How a tiny model is trained; the defaults are those of the shipped models."""

    steps: int = 4500
    batch: int = 8  # windows of `WINDOW` tokens
    learning_rate: float = 4e-3  # peak; linear warm-up, then a cosine to zero
    warmup: int = 100  # steps
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0  # largest norm of the gradient
    paragraph_starts: float = 0.5  # share of windows that open a document, as a prompt does


def train_tokenizer(text: str) -> PreTrainedTokenizerFast:
    """The byte-level BPE tokenizer of the tiny models: it puts `</s>` first, and every byte has an entry."""
    bpe = Tokenizer(models.BPE())
    bytes_of_pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PIECES), "isolated"), bytes_of_pieces])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[PAD, BOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(text.splitlines(keepends=True), trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, bpe.token_to_id(BOS))]
    )
    special = {"bos_token": BOS, "eos_token": BOS, "pad_token": PAD}
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, model_max_length=WINDOW, clean_up_tokenization_spaces=False, **special
    )


def build(name: str, pad_id: int, bos_id: int) -> PreTrainedModel:
    """An untrained tiny model of `ARCHITECTURES`; its weights come from torch's global generator."""
    config = AutoConfig.for_model(
        **ARCHITECTURES[name],
        vocab_size=VOCAB_SIZE,
        hidden_size=HIDDEN,
        num_hidden_layers=5,
        num_attention_heads=8,
        max_position_embeddings=WINDOW,
        pad_token_id=pad_id,
        bos_token_id=bos_id,
        eos_token_id=bos_id,
    )
    return AutoModelForCausalLM.from_config(config)


def loss_of(model: PreTrainedModel, batch: torch.Tensor) -> torch.Tensor:
    """Mean next-token cross-entropy in nats over the batch, (batch, window) of ids."""
    logits = model(input_ids=batch, use_cache=False).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


@torch.no_grad()
def perplexity(model: PreTrainedModel, ids: torch.Tensor, n_windows: int | None = None) -> float:
    """exp of the mean loss (:func:`loss_of`) over contiguous windows of `ids` (tokens,), the first `n_windows` only.

    The last partial window is dropped.
    """
    rows = ids[: len(ids) // WINDOW * WINDOW].view(-1, WINDOW)[:n_windows]
    total = sum(loss_of(model, part).item() * len(part) for part in rows.split(32))
    return math.exp(total / len(rows))


def fit(model: PreTrainedModel, ids: torch.Tensor, starts: torch.Tensor, settings: Settings) -> list[float]:
    """Train in place with AdamW on random windows of `ids` (tokens,); returns the loss of every step in nats per token.

    A share of `paragraph_starts` opens with a BOS and a whole paragraph, one of `starts`, as a prompt does; the others
    begin anywhere, as the windows of a perplexity measurement do.
    """
    rate, decay = settings.learning_rate, settings.weight_decay
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=settings.betas, weight_decay=decay, fused=True)

    def share(step: int) -> float:
        warm = min(1.0, (step + 1) / settings.warmup)
        return warm * 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    n_prompts, losses = round(settings.batch * settings.paragraph_starts), []
    model.train()
    for _ in (bar := tqdm(range(settings.steps), desc="training", unit="step", mininterval=1.0)):
        anywhere = torch.randint(len(ids) - WINDOW, (settings.batch - n_prompts,))
        opening = starts[torch.randint(len(starts), (n_prompts,))]
        batch = ids[torch.cat([opening - 1, anywhere])[:, None] + torch.arange(WINDOW)]
        batch[:n_prompts, 0] = model.config.bos_token_id
        loss = loss_of(model, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) % 10 == 0:
            bar.set_postfix(loss=f"{sum(losses[-50:]) / len(losses[-50:]):.3f}")
    model.eval()
    return losses


def train(name: str, out: Path, seed: int = 0, threads: int = 1, settings: Settings | None = None) -> list[float]:
    """Create the folder `out`, whole or not at all, with model, tokenizer and `training.json`; returns the losses."""
    settings = settings or Settings()
    known("tiny model", name, ARCHITECTURES)
    if out.exists():
        raise SparsitySolverError(f"'{out}' exists already; give a folder that does not, or remove it first.")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    began = time.monotonic()
    tokenizer = train_tokenizer(minilang.text("train"))
    model = build(name, tokenizer.pad_token_id, tokenizer.bos_token_id)
    ids = {
        split: torch.tensor(tokenizer(minilang.text(split), verbose=False).input_ids) for split in minilang.TEXT_BYTES
    }
    break_id = tokenizer(minilang.PARAGRAPH_BREAK, add_special_tokens=False).input_ids[0]
    starts = (ids["train"] == break_id).nonzero()[:, 0] + 1
    losses = fit(model, ids["train"], starts[starts < len(ids["train"]) - WINDOW], settings)
    # measured on the weights as they are stored: halved in precision, computed in float32
    model.half().float()
    record = {
        "model": name,
        "seed": seed,
        "window_tokens": WINDOW,
        "test_ppl": perplexity(model, ids["test"]),
        "validation_ppl": perplexity(model, ids["validation"]),
        f"test_ppl_first_{FIRST_WINDOWS}_windows": perplexity(model, ids["test"], FIRST_WINDOWS),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "train_tokens": len(ids["train"]),
        "settings": asdict(settings),
        "run": {"seconds": round(time.monotonic() - began), "threads": threads, "torch": torch.__version__},
    }
    with atomic_folder(out, replace=False) as scratch:
        model.half().save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        (scratch / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    return losses


def main() -> None:
    """Command line: a model's name and the folder to create."""
    parser = argparse.ArgumentParser(description="Train a tiny model on the mini language.")
    parser.add_argument("name", choices=list(ARCHITECTURES))
    parser.add_argument("--out", type=Path, required=True, help="folder to create")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    args = parser.parse_args()
    try:
        train(args.name, args.out, args.seed, args.threads, Settings(steps=args.steps))
    except SparsitySolverError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
