"""``preflight``: dense perplexity against the registry of published values, with a diagnosis where it is off."""

import argparse
import csv
import functools
import json
from dataclasses import dataclass

import numpy as np
import torch

from sparsitysolver import CONFIG
from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import perplexity, window_losses
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.registry import BUNDLED, Assets
from sparsitysolver.stages.common import assets_of, home_text, open_model

# A model whose perplexity is this share of its vocabulary has not learned anything: its weights are random.
_RANDOM_SHARE = 0.3


@dataclass(frozen=True)
class Published:
    """A published dense perplexity; ``diagnosis`` is empty for the standard protocol."""

    dataset: str
    split: str
    seqlen: int
    ppl: float
    tolerance: float
    source: str
    diagnosis: str


def run(args: argparse.Namespace) -> None:
    """Measure, compare, diagnose; a deviation is an error (status 2), an unregistered model is reported as such."""
    loaded, assets = open_model(args), assets_of(args)
    task = args.task or home_text(loaded.source)
    known = published(loaded.source.name)
    standard = next((p for p in known if p.dataset == task and p.split == "test" and not p.diagnosis), None)
    seqlen = loaded.seqlen(args.seqlen, standard.seqlen if standard else 2048)
    measured = measure(loaded, task, "test", seqlen, True, assets)
    verdict = "no published value" if standard is None else "ok"
    if standard is not None and abs(measured - standard.ppl) > standard.tolerance:
        reason = diagnose(loaded, measured, standard, known, task, assets)
        raise SparsitySolverError(
            f"preflight of {loaded.source.name}: dense perplexity {measured:.4f} on {task} (test, windows of "
            f"{seqlen}), published {standard.ppl} ± {standard.tolerance} ({standard.source}). {reason}"
        )
    result = {"model": loaded.source.name, "task": task, "seqlen": seqlen, "ppl": measured, "verdict": verdict}
    result |= {"published": standard.ppl if standard else None}
    print(json.dumps(result) if args.json else f"{loaded.source.name}: {measured:.4f} on {task}: {verdict}")


def measure(loaded: LoadedModel, task: str, split: str, seqlen: int, bos: bool, assets: Assets) -> float:
    """Dense perplexity under one protocol."""
    windows = cut_windows(load_text(task, split, assets), loaded.tokenizer, seqlen, bos=bos)
    return perplexity(window_losses(loaded.adapter, torch.from_numpy(windows.ids.astype(np.int64))))


@functools.cache
def _registry() -> list[dict[str, str]]:
    with (CONFIG / "paper" / "dense.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def published(model: str) -> list[Published]:
    """Registered values of a model: from the papers, or from the training record of a bundled one."""
    training = BUNDLED / model / "training.json"
    if training.is_file():
        record = json.loads(training.read_text())
        ppl = record["test_ppl"]
        return [Published("mini", "test", record["window_tokens"], ppl, 0.02 * ppl, "the model's training record", "")]
    return [
        Published(
            row["dataset"],
            row["split"],
            int(row["seqlen"]),
            float(row["ppl"]),
            float(row["tolerance"]),
            row["source"],
            row["diagnosis"],
        )
        for row in _registry()
        if row["model"] == model
    ]


def diagnose(
    loaded: LoadedModel, measured: float, standard: Published, known: list[Published], task: str, assets: Assets
) -> str:
    """Why a dense perplexity may be off: a known other protocol, random weights, or a protocol that gives the value.

    Other protocols are tried on the model itself: if another window length, the validation split or a text without
    BOS gives the published value, the measured protocol (or the registry's) is the one that differs.
    """
    for other in known:
        if other.diagnosis and abs(measured - other.ppl) <= max(other.tolerance, 0.02):
            return f"{measured:.2f} is what {other.source} reports: {other.diagnosis}"
    if not np.isfinite(measured) or measured > _RANDOM_SHARE * loaded.model.config.vocab_size:
        return (
            f"A perplexity near the vocabulary size ({loaded.model.config.vocab_size}) means random or broken weights: "
            "check that the checkpoint is the trained one and was loaded whole."
        )
    lengths = [n for n in (128, 256, 512, 1024, 2048, 4096) if n != standard.seqlen and n <= loaded.context]
    trials = [(f"windows of {n} tokens", "test", n, True) for n in lengths]
    trials += [("the validation split", "validation", standard.seqlen, True)]
    trials += [("a text without BOS", "test", standard.seqlen, False)]
    for what, split, seqlen, bos in trials:
        if (
            abs(measure(loaded, task, split, min(seqlen, loaded.context), bos, assets) - standard.ppl)
            <= standard.tolerance
        ):
            return f"With {what} this model gives the published value: the protocols differ there."
    return "No other window length, split or BOS rule explains it: compare the checkpoint, the text and the tokenizer."
