"""``evaluate``: perplexity or zero-shot accuracy of a dense or pruned model, as one JSON object and as a cell."""

import argparse
import json

from sparsitysolver.config.registry import PERPLEXITY, ZERO_SHOT, ZERO_SHOT_BATCH, tasks_table
from sparsitysolver.data.items import REPORT, Items, load_items
from sparsitysolver.data.sources import NAMED, Text, is_file_source, load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.evaluation.cells import perplexity_fields, zero_shot_fields
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.loading import LoadedModel, load_config, resolve_model
from sparsitysolver.provenance import Clock, provenance
from sparsitysolver.records.files import Json, content_key, write_record
from sparsitysolver.stages.common import assets_of, model_record, open_model, pruning_of, tokens_of

# Options that only one kind of task has, with what stands for them where they are not given.
_OWN_OPTIONS = {
    PERPLEXITY: {"split": "test", "windows": None},
    ZERO_SHOT: {"items": REPORT, "limit": None, "batch_size": ZERO_SHOT_BATCH},
}


def run(args: argparse.Namespace) -> None:
    """Evaluate MODEL on ``--task``; ``--out`` writes the cell, ``--json`` prints the result on the last line."""
    clock = Clock()
    kind = _kind(args.task)
    _own_options(args, kind)
    assets = assets_of(args)
    pruning = pruning_of(args.model, assets)
    if pruning.get("status") != "skipped":
        load_config(resolve_model(args.model, assets))  # a model that is not there is said before the data are sought
    if kind == ZERO_SHOT:
        data, measure = load_items(args.task, args.items, assets, args.limit), _measure_zero_shot
        args.split = data.part
    else:
        data, measure = load_text(args.task, args.split, assets), _measure_perplexity
    if pruning.get("status") == "skipped":
        _write_cell(args, _head(args, pruning, None), clock, pruning)
        print(f"skipped: {pruning['reason']}")
        return
    loaded = open_model(args)
    cell = _head(args, pruning, loaded) | measure(args, loaded, data, pruning)
    _write_cell(args, cell, clock, pruning)
    _print(args, cell)


def _kind(task: str) -> str:
    """What is measured on a task: texts, by name or by path, have a perplexity."""
    table = tasks_table()
    if task in table:
        return table[task].kind
    if task not in NAMED and not is_file_source(task):
        raise unknown_name("task or text source", task, {*table, *NAMED, "a path to a text file"})
    return PERPLEXITY


def _own_options(args: argparse.Namespace, kind: str) -> None:
    """Fill in the defaults of a kind's options; refuse those of the other kind."""
    for other in _OWN_OPTIONS.keys() - {kind}:
        for option in _OWN_OPTIONS[other]:
            if getattr(args, option) is not None:
                own = ", ".join(_flag(name) for name in _OWN_OPTIONS[kind])
                raise SparsitySolverError(
                    f"{_flag(option)} is an option of {_named(other)} tasks; task '{args.task}' is of kind "
                    f"{_named(kind)} and takes {own}."
                )
    for option, default in _OWN_OPTIONS[kind].items():
        if getattr(args, option) is None:
            setattr(args, option, default)


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _named(kind: str) -> str:
    return kind.replace("_", "-")


def _measure_perplexity(args: argparse.Namespace, loaded: LoadedModel, text: Text, pruning: Json) -> Json:
    windows = cut_windows(
        text, loaded.tokenizer, loaded.seqlen(args.seqlen), args.windows, vocabulary=loaded.vocabulary
    )
    losses = window_losses(loaded.adapter, tokens_of(windows))
    return perplexity_fields(loaded, windows, losses, pruning)


def _measure_zero_shot(args: argparse.Namespace, loaded: LoadedModel, items: Items, pruning: Json) -> Json:
    from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot  # lm-eval takes seconds to import

    seqlen = loaded.seqlen(args.seqlen, loaded.context)
    result = evaluate_zero_shot(loaded, items, args.batch_size, seqlen)
    return zero_shot_fields(loaded, items, result, args.batch_size, seqlen, pruning)


def _head(args: argparse.Namespace, pruning: Json, loaded: LoadedModel | None) -> Json:
    """Which cell this is: from the pruning record, or that of a dense model."""
    head = {
        "format": 1,
        "status": pruning.get("status", "ok"),
        "model": pruning["model"] if pruning else model_record(loaded),
        "method": pruning.get("method", "dense"),
        "label": pruning.get("label", "Dense"),
        "sparsity": pruning.get("sparsity", 0.0),
        "seed": pruning.get("seed", 0),
        "task": args.task,
        "split": args.split,
        "provenance": provenance(loaded.device if loaded else "cpu", args.threads, pruning.get("seeds", {})),
    }
    return head | ({"reason": pruning["reason"]} if "reason" in pruning else {})


def _write_cell(args: argparse.Namespace, cell: Json, clock: Clock, pruning: Json) -> None:
    if args.out:
        cell["run"] = clock.record(pruning=pruning.get("run"))
        write_record(args.out, cell, "cell")


def _print(args: argparse.Namespace, cell: Json) -> None:
    if args.json:
        size = {key: cell["size"][key] for key in ("achieved_sparsity", "parameters")}
        result = {"fingerprint": content_key(cell["fingerprint"]), "split": cell["split"], **size}
        print(json.dumps(_numbers(cell) | result))
    else:
        print(f"{cell['model']['name']} {cell['label']}: {_sentence(cell)}")


def _numbers(cell: Json) -> Json:
    """What a result has of its kind."""
    metrics, fingerprint = cell["metrics"], cell["fingerprint"]
    if "ppl" in metrics:
        protocol = {key: fingerprint[key] for key in ("tokens", "windows", "seqlen")}
        return {"ppl": metrics["ppl"]["value"], "stderr": metrics["ppl"]["stderr"], **protocol}
    values = {name: measured["value"] for name, measured in metrics.items()}
    errors = {f"{name}_stderr": measured["stderr"] for name, measured in metrics.items()}
    return {"task": cell["task"], **values, **errors, "n": fingerprint["items"]}


def _sentence(cell: Json) -> str:
    metrics, fingerprint = cell["metrics"], cell["fingerprint"]
    if "ppl" in metrics:
        return (
            f"perplexity {metrics['ppl']['value']:.4f} on {fingerprint['dataset']} "
            f"({fingerprint['split']}, {fingerprint['windows']} windows of {fingerprint['seqlen']})"
        )
    values = ", ".join(f"{name} {measured['value']:.4f}" for name, measured in metrics.items())
    return f"{values} on {cell['task']} ({fingerprint['split']}, {fingerprint['items']} items)"
