"""``bench inference``: how fast pruned models generate, and in how much memory, against the dense model."""

import argparse
import gc
import json

import torch

from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.inference import Contestant, Seconds, Workload, interleave, speed, speedups
from sparsitysolver.evaluation.memory import MEASURE
from sparsitysolver.models.loading import LoadedModel, load_model
from sparsitysolver.provenance import Clock
from sparsitysolver.records.files import Json, content_key, write_record
from sparsitysolver.stages.common import PRUNING_RECORD, assets_of, head_of, open_model, pruning_of

DENSE = {"method": "dense", "label": "Dense", "sparsity": 0.0, "seed": 0}


def run(args: argparse.Namespace) -> None:
    """Measure MODEL and every PRUNED folder beside it, two models in memory at a time."""
    clock = Clock()
    if args.rounds < 1:
        raise SparsitySolverError(f"{args.rounds} rounds asked for; at least 1 is needed.")
    prunings = {folder: _pruning(folder) for folder in args.pruned}
    workload = Workload(args.batch, args.prompt_tokens, args.new_tokens, args.seed)
    loaded = open_model(args)
    if loaded.structure is not None or pruning_of(args.model, assets_of(args)):
        raise SparsitySolverError(f"{args.model} is pruned; MODEL is the dense model that the others came from.")
    for folder, pruning in prunings.items():
        _check_origin(folder, pruning, loaded)
    workload.check(loaded.context, loaded.source.name)
    dense = Contestant(loaded, workload)
    dense_seconds, entries = Seconds(), []
    for folder, pruning in prunings.items():
        entry, beside = _measure(folder, pruning, dense, loaded, args)
        dense_seconds += beside
        entries.append(entry)
        print(_sentence(entry), flush=True)
    if not dense_seconds.prefill:
        dense_seconds = interleave([dense], args.rounds)[0]
    entries.insert(0, _dense_entry(dense, dense_seconds))
    print(_sentence(entries[0]), flush=True)
    record = _record(args, loaded, dense, entries) | {"run": clock.record(folders=args.pruned)}
    if args.out:
        write_record(args.out, record, "inference")
    if args.json:
        print(json.dumps(record))


def _pruning(folder: str) -> Json:
    pruning = pruning_of(folder, Assets.from_environment())
    if not pruning:
        raise SparsitySolverError(f"{folder} was not written by prune: it holds no {PRUNING_RECORD}.")
    return pruning


def _check_origin(folder: str, pruning: Json, dense: LoadedModel) -> None:
    found = pruning["model"]
    if found["weights_sha256"] != dense.weights_sha256:
        raise SparsitySolverError(
            f"{folder} was pruned from another dense model: {found['name']} with weights "
            f"{found['weights_sha256'][:12]} found, {dense.source.name} with {dense.weights_sha256[:12]} needed."
        )
    if pruning["method"] == DENSE["method"]:
        raise SparsitySolverError(f"{folder} is the dense model again; MODEL is measured anyway.")


def _measure(
    folder: str, pruning: Json, dense: Contestant, loaded: LoadedModel, args: argparse.Namespace
) -> tuple[Json, Seconds]:
    """A pruned model's entry, and the dense model's seconds in the same rounds."""
    entry = {name: pruning[name] for name in DENSE} | {"status": pruning["status"]}
    if pruning["status"] == "skipped":
        return entry | {"reason": pruning["reason"]}, Seconds()
    # The dense model's own device and precision: a checkpoint may say otherwise of itself.
    pruned = Contestant(load_model(folder, loaded.device, loaded.dtype, assets_of(args)), dense.workload)
    beside, seconds = interleave([dense, pruned], args.rounds)
    entry |= pruned.facts | speed(seconds, dense.workload)
    entry["speedup"] = speedups(beside, seconds)
    entry["rounds"] = {"seconds": vars(seconds), "dense_seconds": vars(beside)}
    del pruned
    _free()
    return entry, beside


def _free() -> None:
    """Give a model's memory back before the next one is loaded."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _dense_entry(dense: Contestant, seconds: Seconds) -> Json:
    """The dense model over the rounds beside all pruned ones; measured against itself it is 1 by definition."""
    one = {"value": 1.0, "low": 1.0, "high": 1.0, "coverage": 1.0}
    entry = DENSE | {"status": "ok"} | dense.facts | speed(seconds, dense.workload)
    return entry | {"speedup": {"prefill": one, "decode": one}, "rounds": {"seconds": vars(seconds)}}


def _record(args: argparse.Namespace, loaded: LoadedModel, dense: Contestant, entries: list[Json]) -> Json:
    workload = dense.workload
    return head_of(args, loaded, prompt=args.seed) | {
        "protocol": {
            "batch": workload.batch,
            "prompt_tokens": workload.prompt_tokens,
            "new_tokens": workload.new_tokens,
            "prompt_sha256": content_key(dense.prompt.tolist(), 64),
            "rounds": args.rounds,
            "dtype": loaded.dtype,
            "devices": len({parameter.device for parameter in loaded.model.parameters()}),
            "memory": MEASURE,
        },
        "models": entries,
    }


def _sentence(entry: Json) -> str:
    name = f"{entry['label']} at sparsity {entry['sparsity']}"
    if entry["status"] == "skipped":
        return f"{name}: skipped: {entry['reason']}"
    phases = []
    for phase in ("prefill", "decode"):
        times = entry["speedup"][phase]
        phases.append(
            f"{phase} {entry[phase]['tokens_per_second']:.4g} tokens/s, "
            f"{times['value']:.3f} times dense [{times['low']:.3f}, {times['high']:.3f}]"
        )
    return f"{name}: {'; '.join(phases)}; peak memory {entry['peak_memory_bytes'] / 2**20:.1f} MiB"
