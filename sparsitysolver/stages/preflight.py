"""``preflight``: dense perplexity against the registry of published values, with a diagnosis where it is off."""

import argparse
import json
import math

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.published import STANDARD_SPLIT, Anchor, anchors, not_the_text, standard_anchor
from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import perplexity
from sparsitysolver.models.loading import LoadedModel, ModelSource, resolve_model
from sparsitysolver.provenance import Clock
from sparsitysolver.records.files import Json, read_record, write_json
from sparsitysolver.stages.common import assets_of, home_text, losses_of, open_model

# A model whose perplexity is this share of its vocabulary has not learned anything: its weights are random.
_RANDOM_SHARE = 0.3


def run(args: argparse.Namespace) -> None:
    """Measure, compare, diagnose; a deviation is an error (status 2), an unregistered model is reported as such.

    A value within the tolerance on another text than the published one is no agreement, and is reported as such too.
    """
    clock, assets = Clock(), assets_of(args)
    source = resolve_model(args.model, assets)
    task, known = args.task or home_text(source), anchors(source.name)
    standard = standard_anchor(known, task)
    loaded = None if args.cell else open_model(args)
    if loaded is None:
        measured, seqlen = _measured_cell(args.cell, source, task, standard)
    else:
        seqlen = loaded.seqlen(args.seqlen, standard.seqlen if standard else 2048)
        measured = measure(loaded, task, STANDARD_SPLIT, seqlen, True, assets)
    other_text = "" if standard is None else _other_text(args.cell, loaded, source, task, assets)
    if standard is not None and not abs(measured - standard.ppl) <= standard.tolerance:
        reason = diagnose(loaded or open_model(args), measured, standard, known, task, assets, other_text)
        raise SparsitySolverError(
            f"preflight of {source.name}: dense perplexity {measured:.4f} on {task} (test, windows of "
            f"{seqlen}), published {standard.ppl} ± {standard.tolerance} ({standard.source}). {reason}"
        )
    verdict = "no published value" if standard is None else f"not comparable: {other_text}" if other_text else "ok"
    _report(args, {"model": source.name, "task": task, "seqlen": seqlen, "ppl": measured}, verdict, standard, clock)


def _other_text(cell: str | None, loaded: LoadedModel | None, source: ModelSource, task: str, assets: Assets) -> str:
    """Why the text scored, in a cell or by a model, is not the one whose perplexities are published; or empty."""
    if loaded is None:
        fingerprint = read_record(cell, "cell")["fingerprint"]
        return not_the_text(task, STANDARD_SPLIT, fingerprint["text_sha256"], fingerprint["tokens"], source.name)
    text = load_text(task, STANDARD_SPLIT, assets)
    if not not_the_text(task, STANDARD_SPLIT, text.sha256):
        return ""
    tokens = len(loaded.tokenizer(text.joined, verbose=False).input_ids)
    return not_the_text(task, STANDARD_SPLIT, text.sha256, tokens, source.name)


def _report(args: argparse.Namespace, measured: Json, verdict: str, standard: Anchor | None, clock: Clock) -> None:
    """Print what holds, and write it where asked."""
    result = measured | {
        "verdict": verdict,
        "published": standard.ppl if standard else None,
        "tolerance": standard.tolerance if standard else None,
        "source": standard.source if standard else None,
    }
    if args.out:
        write_json(args.out, result | {"run": clock.record()})
    line = f"{result['model']}: {result['ppl']:.4f} on {result['task']}: {result['verdict']}"
    print(json.dumps(result) if args.json else line)


def _measured_cell(path: str, source: ModelSource, task: str, standard: Anchor | None) -> tuple[float, int]:
    """Perplexity and window length of a dense cell, which must be of this model and of the standard protocol."""
    cell = read_record(path, "cell")
    found = (cell["model"]["name"], cell["method"], cell["task"], cell["split"])
    expected = (source.name, "dense", task, STANDARD_SPLIT)
    if found != expected:
        raise SparsitySolverError(
            f"{path} is a cell of {', '.join(found)}; preflight of {source.name} needs one of {', '.join(expected)}."
        )
    seqlen = cell["fingerprint"]["seqlen"]
    if standard is not None and seqlen != standard.seqlen:
        raise SparsitySolverError(
            f"{path} was measured with windows of {seqlen} tokens; {standard.source} has {standard.seqlen}. "
            "Evaluate the dense model with these."
        )
    return cell["metrics"]["ppl"]["value"], seqlen


def measure(loaded: LoadedModel, task: str, split: str, seqlen: int, bos: bool, assets: Assets) -> float:
    """Dense perplexity under one protocol."""
    text = load_text(task, split, assets)
    windows = cut_windows(text, loaded.tokenizer, seqlen, bos=bos, vocabulary=loaded.vocabulary)
    return perplexity(losses_of(loaded, windows))


def diagnose(
    loaded: LoadedModel,
    measured: float,
    standard: Anchor,
    known: list[Anchor],
    task: str,
    assets: Assets,
    other_text: str = "",
) -> str:
    """Why a dense perplexity may be off: a known other protocol, random weights, another text, or another protocol.

    Other protocols are tried on the model itself: if another window length, the validation split or a text without
    BOS gives the published value, the measured protocol (or the registry's) is the one that differs. On another text
    than the published one none of them is expected to.
    """
    told = _recognised(loaded, measured, known)
    if other_text:
        return f"{told} The text is {other_text}; the published value is of that text.".strip()
    return told or _tried(loaded, standard, task, assets)


def _recognised(loaded: LoadedModel, measured: float, known: list[Anchor]) -> str:
    """What the value itself gives away: a protocol that is known to give it, or random weights; empty for neither."""
    for other in known:
        if other.diagnosis and abs(measured - other.ppl) <= max(other.tolerance, 0.02):
            return f"{measured:.2f} is what {other.source} reports: {other.diagnosis}"
    vocabulary = loaded.model.config.vocab_size
    if not math.isfinite(measured) or measured > _RANDOM_SHARE * vocabulary:
        return (
            f"A perplexity near the vocabulary size ({vocabulary}) means random or broken weights: "
            "check that the checkpoint is the trained one and was loaded whole."
        )
    return ""


def _tried(loaded: LoadedModel, standard: Anchor, task: str, assets: Assets) -> str:
    """Which other protocol gives the published value."""
    lengths = [n for n in (128, 256, 512, 1024, 2048, 4096) if n != standard.seqlen and n <= loaded.context]
    trials = [(f"windows of {n} tokens", "test", n, True) for n in lengths]
    trials += [("the validation split", "validation", standard.seqlen, True)]
    trials += [("a text without BOS", "test", standard.seqlen, False)]
    for what, split, seqlen, bos in trials:
        other_ppl = measure(loaded, task, split, min(seqlen, loaded.context), bos, assets)
        if abs(other_ppl - standard.ppl) <= standard.tolerance:
            return f"With {what} this model gives the published value: the protocols differ there."
    return "No other window length, split or BOS rule explains it: compare the checkpoint, the text and the tokenizer."
