"""Rows of ``inference.csv`` and ``reconstruction.csv``: speed and memory of models, and studies of reconstruction."""

from collections.abc import Iterator
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.rows import read_finite

_SKIPPED = "skipped"
_SETTING = ("batch", "prompt_tokens", "new_tokens", "rounds", "dtype")


def inference_rows(path: Path) -> list[Json]:
    """A row for every model that was measured; of those that no pruner could make, a printed line says why."""
    record = read_finite(path, "inference")
    for entry in record["models"]:
        if entry["status"] == _SKIPPED:
            name = f"{record['model']['name']} {entry['method']} at sparsity {entry['sparsity']}"
            print(f"left out: {name}: {entry['reason']}")
    return rows_of(record)


def rows_of(record: Json) -> list[Json]:
    """A row for every model that was measured, those that no pruner could make left out."""
    return [_measured(record, entry) for entry in record["models"] if entry["status"] != _SKIPPED]


def _measured(record: Json, entry: Json) -> Json:
    protocol, provenance, size = record["protocol"], record["provenance"], entry["size"]
    devices = f"{protocol['devices']} x " if protocol["devices"] > 1 else ""
    row = {
        "model": record["model"]["name"],
        **{axis: entry[axis] for axis in ("method", "label", "sparsity", "seed")},
        **{name: protocol[name] for name in _SETTING},
        "threads": provenance["threads"],
        "device": f"{devices}{provenance['device']}",
        "parameters": size["parameters"],
        "weight_bytes": size["bytes"],
        "peak_memory_bytes": entry["peak_memory_bytes"],
    }
    for phase in ("prefill", "decode"):
        row |= {f"{phase}_{quantity}": value for quantity, value in entry[phase].items()}
        ratio = entry["speedup"][phase]
        row |= {f"{phase}_speedup": ratio["value"]}
        row |= {f"{phase}_speedup_{end}": ratio[end] for end in ("low", "high")}
    return row


def reconstruction_rows(path: Path) -> Iterator[Json]:
    """A row for every number of samples and choice of modules; without reconstruction 0 samples and 0 seconds.

    Raises:
        SparsitySolverError: no valid record, a number that is not finite, or times of other points than the record's.
    """
    record = read_finite(path, "reconstruction")
    points, times = record["points"], record["run"]["points"]
    if [(p["modules"], p["samples"]) for p in points] != [(t["modules"], t["samples"]) for t in times]:
        raise SparsitySolverError(f"{path} is not a whole study: its times are those of other points; make it again.")
    shared = {"model": record["model"]["name"], "sparsity": record["sparsity"], "seed": record["seed"]}
    shared["gpus"] = record["run"].get("gpus")  # how many it had, 0 on a CPU; older records do not say
    none = {"samples": 0, "tokens": 0, "ppl": record["sliced"]["value"], "seconds_per_module": 0.0}
    for modules in sorted({point["modules"] for point in points}):
        yield shared | none | {"modules": modules}
    for point, time in zip(points, times, strict=True):
        own = {name: point[name] for name in ("modules", "samples", "tokens")} | {"ppl": point["ppl"]["value"]}
        yield shared | own | {"seconds_per_module": time["seconds_per_module"]}
