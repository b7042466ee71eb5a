"""``evaluate``: perplexity or zero-shot accuracy of a dense or pruned model, as one JSON object and as a cell."""

import argparse
import json

from sparsitysolver.config.registry import PERPLEXITY, ZERO_SHOT, ZERO_SHOT_BATCH, tasks_table
from sparsitysolver.data.items import REPORT, Items, load_items
from sparsitysolver.data.sources import NAMED, Text, is_file_source, load_text
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.evaluation.cells import perplexity_fields
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.provenance import Clock, provenance
from sparsitysolver.records.files import Json, content_key, write_record
from sparsitysolver.stages import common
from sparsitysolver.stages.common import DENSE, assets_of, model_record, open_model, pruning_of

# Options that only one kind of task has, with what stands for them where they are not given.
_OWN_OPTIONS = {
    PERPLEXITY: {"split": "test", "windows": None},
    ZERO_SHOT: {"items": REPORT, "limit": None, "batch-size": ZERO_SHOT_BATCH},
}


def run(args: argparse.Namespace) -> None:
    """Evaluate MODEL on ``--task``; ``--out`` writes the cell, ``--json`` prints the result on the last line."""
    clock = Clock()
    pruning = pruning_of(args.model, assets_of(args))
    cell = evaluated(args, pruning)
    if args.out:
        cell["run"] = clock.record(pruning=pruning.get("run"))
        write_record(args.out, cell, "cell")
    if cell["status"] == "skipped":
        print(f"skipped: {pruning['reason']}")
        return
    numbers, sentence = _told(cell)
    if args.json:
        size = {key: cell["size"][key] for key in ("achieved_sparsity", "parameters")}
        print(json.dumps(numbers | {"fingerprint": content_key(cell["fingerprint"]), "split": args.split, **size}))
    else:
        print(f"{cell['model']['name']} {cell['label']}: {sentence}")


def evaluated(args: argparse.Namespace, pruning: Json) -> Json:
    """The cell of a model with this pruning record, empty for a dense one; without measurements if it was skipped."""
    kind, assets, skipped = kind_of(args.task), assets_of(args), pruning.get("status") == "skipped"
    _own_options(args, kind)
    if not skipped:
        common.check_model(args)
    if kind == ZERO_SHOT:
        data, measure = load_items(args.task, args.items, assets, args.limit), _measure_zero_shot
        args.split = data.part
    else:
        data, measure = load_text(args.task, args.split, assets), _measure_perplexity
    loaded = None if skipped else open_model(args)
    return _head(args, pruning, loaded) | (measure(args, loaded, data, pruning) if loaded else {})


def kind_of(task: str) -> str:
    """What is measured on a task: texts, by name or by path, have a perplexity."""
    table = tasks_table()
    if task in table:
        return table[task].kind
    if task not in NAMED and not is_file_source(task):
        raise unknown_name("task or text source", task, {*table, *NAMED, "a path to a text file"})
    return PERPLEXITY


def _own_options(args: argparse.Namespace, kind: str) -> None:
    """Fill in the defaults of a kind's options; refuse those of the other kind."""
    for other, options in _OWN_OPTIONS.items():
        for flag, default in options.items():
            name = flag.replace("-", "_")
            given = getattr(args, name) is not None
            if given and other != kind:
                named, asked = other.replace("_", "-"), kind.replace("_", "-")
                raise SparsitySolverError(
                    f"--{flag} is an option of {named} tasks; task '{args.task}' is of kind {asked} and takes "
                    f"{', '.join(f'--{own}' for own in _OWN_OPTIONS[kind])}."
                )
            if not given and other == kind:
                setattr(args, name, default)


def _measure_perplexity(args: argparse.Namespace, loaded: LoadedModel, text: Text, pruning: Json) -> Json:
    windows = common.cut(loaded, text, loaded.seqlen(args.seqlen), args.windows)
    return perplexity_fields(loaded, windows, common.losses_of(loaded, windows), pruning)


def _measure_zero_shot(args: argparse.Namespace, loaded: LoadedModel, items: Items, pruning: Json) -> Json:
    from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot, zero_shot_fields  # lm-eval: seconds to import

    longest = loaded.lead + loaded.seqlen(args.seqlen, loaded.context)
    result = evaluate_zero_shot(loaded, items, args.batch_size, longest)
    return zero_shot_fields(loaded, items, result, pruning)


def _head(args: argparse.Namespace, pruning: Json, loaded: LoadedModel | None) -> Json:
    """Which cell this is: from the pruning record, or that of a dense model."""
    kept = {name: value for name, value in pruning.items() if name in (*DENSE, "reason")}
    return {
        **(DENSE | kept),
        "format": 1,
        "model": pruning["model"] if pruning else model_record(loaded),
        "task": args.task,
        "split": args.split,
        "provenance": provenance(loaded.device if loaded else "cpu", args.threads, pruning.get("seeds", {})),
    }


def _told(cell: Json) -> tuple[Json, str]:
    """The numbers that a result has of its kind, and the sentence that tells them."""
    metrics, fingerprint, split = cell["metrics"], cell["fingerprint"], cell["fingerprint"]["split"]
    if "ppl" in metrics:
        ppl, protocol = metrics["ppl"], {key: fingerprint[key] for key in ("tokens", "windows", "seqlen")}
        windows = f"{fingerprint['windows']} windows of {fingerprint['seqlen']}"
        sentence = f"perplexity {ppl['value']:.4f} on {fingerprint['dataset']} ({split}, {windows})"
        return {"ppl": ppl["value"], "stderr": ppl["stderr"], **protocol}, sentence
    values = {name: measured["value"] for name, measured in metrics.items()}
    errors = {f"{name}_stderr": measured["stderr"] for name, measured in metrics.items()}
    named = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    sentence = f"{named} on {cell['task']} ({split}, {fingerprint['items']} items)"
    return {"task": cell["task"], **values, **errors, "n": fingerprint["items"]}, sentence
