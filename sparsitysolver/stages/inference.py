"""``bench inference``: how fast pruned models generate, and in how much memory, against the dense model."""

import argparse
import gc
import json

import torch

from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.inference import MEASURE, PHASES, Contestant, Workload, interleave, speed, speedup
from sparsitysolver.models.loading import LoadedModel, load_model
from sparsitysolver.provenance import Clock
from sparsitysolver.records.files import Json, content_key, write_record
from sparsitysolver.stages.common import DENSE, PRUNING_RECORD, assets_of, head_of, open_model, pruning_of


def run(args: argparse.Namespace) -> None:
    """Measure MODEL and every PRUNED folder beside it, two models in memory at a time."""
    clock = Clock()
    if args.rounds < 1:
        raise SparsitySolverError(f"{args.rounds} rounds asked for; at least 1 is needed.")
    prunings = {folder: pruning_of(folder, Assets.from_environment()) for folder in args.pruned}
    for folder, pruning in prunings.items():
        if not pruning:
            raise SparsitySolverError(f"{folder} was not written by prune: it holds no {PRUNING_RECORD}.")
    workload = Workload(args.batch, args.prompt_tokens, args.new_tokens, args.seed)
    loaded = open_model(args)
    if loaded.structure is not None or pruning_of(args.model, assets_of(args)):
        raise SparsitySolverError(f"{args.model} is pruned; MODEL is the dense model that the others came from.")
    for folder, pruning in prunings.items():
        _check_origin(folder, pruning, loaded)
    workload.check(loaded.context, loaded.source.name)
    dense = Contestant(loaded, workload)
    entries = []
    for folder, pruning in prunings.items():
        entries.append(_measured(folder, pruning, dense, loaded, args))
        print(_sentence(entries[-1]), flush=True)
    entries.insert(0, _dense_entry(dense, entries, args.rounds))
    print(_sentence(entries[0]), flush=True)
    record = _record(args, loaded, dense, entries) | {"run": clock.record(folders=args.pruned)}
    if args.out:
        write_record(args.out, record, "inference")
    if args.json:
        print(json.dumps(record))


def _check_origin(folder: str, pruning: Json, dense: LoadedModel) -> None:
    found = pruning["model"]
    if found["weights_sha256"] != dense.weights_sha256:
        raise SparsitySolverError(
            f"{folder} was pruned from another dense model: {found['name']} with weights "
            f"{found['weights_sha256'][:12]} found, {dense.source.name} with {dense.weights_sha256[:12]} needed."
        )
    if pruning["method"] == DENSE["method"]:
        raise SparsitySolverError(f"{folder} is the dense model again; MODEL is measured anyway.")


def _measured(folder: str, pruning: Json, dense: Contestant, loaded: LoadedModel, args: argparse.Namespace) -> Json:
    """A pruned model's entry, with the dense model's seconds in the same rounds."""
    entry = {name: pruning[name] for name in DENSE}
    if pruning["status"] == "skipped":
        return entry | {"reason": pruning["reason"]}
    # The dense model's own device and precision: a checkpoint may say otherwise of itself.
    pruned = Contestant(load_model(folder, loaded.device, loaded.dtype, assets_of(args)), dense.workload)
    beside, seconds = interleave([dense, pruned], args.rounds)
    entry |= pruned.facts | speed(seconds, dense.workload)
    entry["speedup"] = {phase: speedup(beside[phase], seconds[phase]) for phase in PHASES}
    entry["rounds"] = {"seconds": seconds, "dense_seconds": beside}
    del pruned
    gc.collect()  # a model's memory, before the next one is loaded
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return entry


def _dense_entry(dense: Contestant, entries: list[Json], rounds: int) -> Json:
    """The dense model over the rounds beside all pruned ones; measured against itself it is 1 by definition."""
    beside = [entry["rounds"]["dense_seconds"] for entry in entries if "rounds" in entry]
    beside = beside or interleave([dense], rounds)
    seconds = {phase: [value for one in beside for value in one[phase]] for phase in PHASES}
    one = {"value": 1.0, "low": 1.0, "high": 1.0, "coverage": 1.0}
    entry = DENSE | dense.facts | speed(seconds, dense.workload)
    return entry | {"speedup": dict.fromkeys(PHASES, one), "rounds": {"seconds": seconds}}


def _record(args: argparse.Namespace, loaded: LoadedModel, dense: Contestant, entries: list[Json]) -> Json:
    return head_of(args, loaded, prompt=args.seed) | {
        "protocol": {
            "batch": args.batch,
            "prompt_tokens": args.prompt_tokens,
            "new_tokens": args.new_tokens,
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
    for phase in PHASES:
        times, rate = entry["speedup"][phase], entry[phase]["tokens_per_second"]
        low, high = times["low"], times["high"]
        phases.append(f"{phase} {rate:.4g} tokens/s, {times['value']:.3f} times dense [{low:.3f}, {high:.3f}]")
    return f"{name}: {'; '.join(phases)}; peak memory {entry['peak_memory_bytes'] / 2**20:.1f} MiB"
