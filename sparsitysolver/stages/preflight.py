"""``preflight``: dense perplexity against the registry of published values, with a diagnosis where it is off."""

import argparse
import json
import math

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.bos import EVERY, FIRST, NONE
from sparsitysolver.config.published import STANDARD_SPLIT, Anchor, anchors, not_the_text, other_bos, standard_anchor
from sparsitysolver.data.sources import Text, load_text
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.cells import perplexity_fingerprint
from sparsitysolver.evaluation.perplexity import perplexity
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.models.source import ModelSource, resolve_model
from sparsitysolver.provenance import Clock
from sparsitysolver.records.files import Json, read_record, write_json
from sparsitysolver.stages.common import assets_of, cut, home_text, losses_of, open_model

_RULES = {NONE: "a text without BOS", FIRST: "the tokenizer's own BOS once", EVERY: "a BOS before every window"}
# A model whose perplexity is this share of its vocabulary has not learned anything: its weights are random.
_RANDOM_SHARE = 0.3


def run(args: argparse.Namespace) -> None:
    """Measure, compare, diagnose; a deviation is an error (status 2), an unregistered model is reported as such.

    A value within the tolerance on another text than the published one is no agreement, and is reported as such too; so
    is any value with a BOS before every window, where the published one has none.
    """
    clock, assets = Clock(), assets_of(args)
    source = resolve_model(args.model, assets)
    task = args.task or home_text(source)
    standard = standard_anchor(anchors(source.name), task)
    if args.cell:
        loaded, cell = None, _dense_cell(args.cell, source, task, standard)
        measured, protocol = cell["metrics"]["ppl"]["value"], cell["fingerprint"]
    else:
        loaded = open_model(args)
        seqlen = loaded.seqlen(args.seqlen, standard.seqlen if standard else 2048)
        measured, protocol = measure(loaded, load_text(task, STANDARD_SPLIT, assets), seqlen)
    other_text = ""
    if standard is not None:
        text = (protocol["text_sha256"], protocol["tokens"])
        other_text = not_the_text(task, STANDARD_SPLIT, *text, source.name)
        bos = other_bos(protocol["bos"], standard.bos)
        other_text = ", ".join(filter(None, (other_text, bos)))
        if not bos and not abs(measured - standard.ppl) <= standard.tolerance:
            reason = _diagnosis(loaded or open_model(args), measured, standard, assets, other_text)
            raise SparsitySolverError(
                f"preflight of {source.name}: dense perplexity {measured:.4f} on {task} (test, windows of "
                f"{protocol['seqlen']}), published {standard.ppl} ± {standard.tolerance} ({standard.source}). {reason}"
            )
    result = {
        "model": source.name,
        "task": task,
        "seqlen": protocol["seqlen"],
        "ppl": measured,
        "verdict": "no published value" if not standard else f"not comparable: {other_text}" if other_text else "ok",
        "published": standard.ppl if standard else None,
        "tolerance": standard.tolerance if standard else None,
        "source": standard.source if standard else None,
    }
    if args.out:
        write_json(args.out, result | {"run": clock.record()})
    print(json.dumps(result) if args.json else f"{source.name}: {measured:.4f} on {task}: {result['verdict']}")


def _dense_cell(path: str, source: ModelSource, task: str, standard: Anchor | None) -> Json:
    """A cell, which must be of this model, dense, and of the standard protocol."""
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
    return cell


def measure(loaded: LoadedModel, text: Text, seqlen: int, bos: str | None = None) -> tuple[float, Json]:
    """Dense perplexity under one protocol, and that protocol."""
    windows = cut(loaded, text, seqlen, bos=bos)
    return perplexity(losses_of(loaded, windows)), perplexity_fingerprint(loaded, windows)


def _diagnosis(loaded: LoadedModel, measured: float, standard: Anchor, assets: Assets, other_text: str) -> str:
    """Why a dense perplexity may be off: a known other protocol, random weights, another text, or another protocol.

    Other protocols are tried on the model itself: if another window length, the validation split or another BOS rule
    gives the published value, the measured protocol (or the registry's) is the one that differs. On another text than
    the published one none of them is expected to.
    """
    told, vocabulary = "", loaded.model.config.vocab_size
    known = (one for one in anchors(loaded.source.name) if one.diagnosis)
    other = next((one for one in known if abs(measured - one.ppl) <= max(one.tolerance, 0.02)), None)
    if other is not None:
        told = f"{measured:.2f} is what {other.source} reports: {other.diagnosis}"
    elif not math.isfinite(measured) or measured > _RANDOM_SHARE * vocabulary:
        told = (
            f"A perplexity near the vocabulary size ({vocabulary}) means random or broken weights: "
            "check that the checkpoint is the trained one and was loaded whole."
        )
    if other_text:
        return f"{told} The text is {other_text}; the published value is of that text.".strip()
    return told or _tried(loaded, standard, assets)


def _tried(loaded: LoadedModel, standard: Anchor, assets: Assets) -> str:
    """Which other protocol gives the published value."""
    own = standard.seqlen
    lengths = [n for n in (128, 256, 512, 1024, 2048, 4096) if n != own and n <= loaded.context]
    trials = [(f"windows of {n} tokens", "test", n, loaded.bos) for n in lengths]
    trials.append(("the validation split", "validation", own, loaded.bos))
    rules = [rule for rule in _RULES if rule != EVERY or loaded.tokenizer.bos_token_id is not None]
    trials += [(_RULES[rule], "test", own, rule) for rule in rules if rule != loaded.bos]
    for what, split, seqlen, bos in trials:
        text = load_text(standard.dataset, split, assets)
        other_ppl, _ = measure(loaded, text, min(seqlen, loaded.context - (bos == EVERY)), bos)
        if abs(other_ppl - standard.ppl) <= standard.tolerance:
            return f"With {what} this model gives the published value: the protocols differ there."
    return "No other window length, split or BOS rule explains it: compare the checkpoint, the text and the tokenizer."
