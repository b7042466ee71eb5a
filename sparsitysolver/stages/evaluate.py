"""``evaluate``: perplexity of a dense or pruned model, as one JSON object and as a cell with full provenance."""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import Windows, cut_windows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import perplexity, perplexity_stderr, window_losses
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.loading import LoadedModel, load_config, resolve_model
from sparsitysolver.provenance import Clock, provenance
from sparsitysolver.records import Json, content_key, read_json, write_record
from sparsitysolver.registry import tasks_table
from sparsitysolver.stages.common import assets_of, open_model

PRUNING_RECORD = "pruning.json"
JOIN = "rows joined by a blank line"


def run(args: argparse.Namespace) -> None:
    """Evaluate MODEL on ``--task``; ``--out`` writes the cell, ``--json`` prints the result on the last line."""
    clock = Clock()
    task = tasks_table().get(args.task)
    if task is not None and task.kind != "perplexity":
        allowed = ", ".join(row.key for row in tasks_table().values() if row.kind == "perplexity")
        raise SparsitySolverError(
            f"task '{args.task}' is of kind {task.kind}; this command evaluates perplexity: {allowed}, or a text file."
        )
    assets, pruning = assets_of(args), _pruning(args.model)
    if pruning.get("status") != "skipped":
        load_config(resolve_model(args.model, assets))  # a model that is not there is said before the text is sought
    text = load_text(args.task, args.split, assets)
    if pruning.get("status") == "skipped":
        _write_cell(args, _head(args, pruning, None), clock, pruning)
        print(f"skipped: {pruning['reason']}")
        return
    loaded = open_model(args)
    windows = cut_windows(text, loaded.tokenizer, loaded.seqlen(args.seqlen), args.windows)
    losses = window_losses(loaded.adapter, torch.from_numpy(windows.ids.astype(np.int64)))
    ppl = perplexity(losses)
    cell = _head(args, pruning, loaded) | _measured(loaded, windows, losses, ppl, pruning)
    _write_cell(args, cell, clock, pruning)
    _print(args, cell, ppl)


def _pruning(model: str) -> Json:
    path = Path(model) / PRUNING_RECORD
    return read_json(path, "pruning record") if path.is_file() else {}


def _head(args: argparse.Namespace, pruning: Json, loaded: LoadedModel | None) -> Json:
    """Which cell this is: from the pruning record, or that of a dense model."""
    if pruning:
        model = pruning["model"]
    else:
        model = {
            "name": loaded.source.name,
            "family": loaded.adapter.shape.family,
            "weights_sha256": loaded.weights_sha256,
            "revision": loaded.source.revision,
        }
    head = {
        "format": 1,
        "status": pruning.get("status", "ok"),
        "model": model,
        "method": pruning.get("method", "dense"),
        "label": pruning.get("label", "Dense"),
        "sparsity": pruning.get("sparsity", 0.0),
        "seed": pruning.get("seed", 0),
        "task": args.task,
        "split": args.split,
        "provenance": provenance(loaded.device if loaded else "cpu", args.threads, pruning.get("seeds", {})),
    }
    return head | ({"reason": pruning["reason"]} if "reason" in pruning else {})


def _measured(loaded: LoadedModel, windows: Windows, losses: np.ndarray, ppl: float, pruning: Json) -> Json:
    strategy = pruning.get("strategy")
    if not math.isfinite(ppl):
        raise SparsitySolverError(
            f"the perplexity of {loaded.source.name} on {windows.text.source} is {ppl}: "
            f"{int((~np.isfinite(losses)).sum())} of {len(losses)} windows have no finite loss. Try another dtype."
        )
    size = measure_size(loaded.adapter).record()
    dense = strategy["units"] if strategy else None
    return {
        "metrics": {"ppl": {"value": ppl, "stderr": perplexity_stderr(losses), "n": len(losses)}},
        "fingerprint": _fingerprint(loaded, windows),
        "size": size | {"extra_parameters": pruning.get("facts", {}).get("extra_parameters", 0)},
        "calibration": pruning.get("calibration"),
        "reconstruction": pruning.get("reconstruction"),
        "strategy": strategy,
        "search": _search(strategy) if dense else None,
        "leakage": _leakage(windows, pruning),
        "facts": pruning.get("facts", {}),
        "windows": [round(float(loss), 8) for loss in losses],
    }


def _fingerprint(loaded: LoadedModel, windows: Windows) -> Json:
    """The protocol behind a number; equal for all cells of a column."""
    text = windows.text
    return {
        "dataset": text.source,
        "revision": text.revision,
        "text_sha256": text.sha256,
        "split": text.split,
        "join": JOIN,
        "bos": "none" if windows.bos == "none" else "tokenizer",
        "seqlen": windows.seqlen,
        "tokens": windows.total_tokens,
        "windows": len(windows.ids),
        "dtype": loaded.dtype,
    }


def _search(strategy: Json) -> Json | None:
    found = strategy["found"]
    if "evaluations" not in found:
        return None
    return {key: found[key] for key in ("algorithm", "evaluations", "tokens", "episodes", "reward_split")}


def _leakage(windows: Windows, pruning: Json) -> Json:
    """Closed or open division: was the evaluated domain, split or task seen while pruning?"""
    seen = [pruning.get("calibration") or {}, pruning.get("reconstruction") or {}]
    found = (pruning.get("strategy") or {}).get("found", {})
    return {
        "calibrated_on_eval_domain": any(sample.get("source") == windows.text.source for sample in seen),
        "searched_on_reported_split": found.get("text_sha256") == windows.text.sha256,
        "saw_task": False,
    }


def _write_cell(args: argparse.Namespace, cell: Json, clock: Clock, pruning: Json) -> None:
    if args.out:
        cell["run"] = clock.record(pruning=pruning.get("run"))
        write_record(args.out, cell, "cell")


def _print(args: argparse.Namespace, cell: Json, ppl: float) -> None:
    fingerprint = cell["fingerprint"]
    if args.json:
        result = {
            "ppl": ppl,
            "stderr": cell["metrics"]["ppl"]["stderr"],
            "tokens": fingerprint["tokens"],
            "windows": fingerprint["windows"],
            "seqlen": fingerprint["seqlen"],
            "split": fingerprint["split"],
            "achieved_sparsity": cell["size"]["achieved_sparsity"],
            "parameters": cell["size"]["parameters"],
            "fingerprint": content_key(fingerprint),
        }
        print(json.dumps(result))
    else:
        print(
            f"{cell['model']['name']} {cell['label']}: perplexity {ppl:.4f} on {fingerprint['dataset']} "
            f"({fingerprint['split']}, {fingerprint['windows']} windows of {fingerprint['seqlen']})"
        )
