"""Collect measurements of inference into ``results/inference.csv``: one row per model folder measured."""

from collections.abc import Sequence
from pathlib import Path

from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.rows import read_finite, refuse_duplicates, write_rows

AXES = ("model", "method", "label", "sparsity", "seed")
SETTING = ("batch", "prompt_tokens", "new_tokens", "rounds", "threads", "device", "dtype")
PHASES = ("prefill", "decode")
SPEED = tuple(f"{phase}_{quantity}" for phase in PHASES for quantity in ("seconds", "tokens_per_second"))
_SKIPPED = "skipped"
_ENDS = {"": "value", "_low": "low", "_high": "high"}  # of a column's name, by field of the record
SPEEDUP = tuple(f"{phase}_speedup{end}" for phase in PHASES for end in _ENDS)
COLUMNS = (*AXES, *SETTING, "parameters", "weight_bytes", *SPEED, "peak_memory_bytes", *SPEEDUP)
_ONE = ("model", "method", "sparsity", "seed", "batch", "prompt_tokens", "new_tokens")  # may be measured once


def collect_inference(paths: Sequence[Path], out: Path) -> list[str]:
    """Write the rows of all records; the same bytes for the same records in any order.

    Returns:
        what was left out, one line each: models that no pruner could make.

    Raises:
        SparsitySolverError: no valid record, a number that is not finite, or one model measured twice.
    """
    rows, left_out = [], []
    for path in sorted(set(paths)):
        record = read_finite(path, "inference")
        rows += rows_of(record)
        for entry in record["models"]:
            if entry["status"] == _SKIPPED:
                name = f"{record['model']['name']} {entry['method']} at sparsity {entry['sparsity']}"
                left_out.append(f"left out: {name}: {entry['reason']}")
    rows.sort(key=lambda row: tuple(row[column] for column in _ONE))
    refuse_duplicates(rows, _ONE, "inference")
    write_rows(out, COLUMNS, rows)
    return left_out


def rows_of(record: Json) -> list[Json]:
    """A row for every model that was measured, those that no pruner could make left out."""
    return [_row(record, entry) for entry in record["models"] if entry["status"] != _SKIPPED]


def _row(record: Json, entry: Json) -> Json:
    protocol, provenance, size = record["protocol"], record["provenance"], entry["size"]
    devices = f"{protocol['devices']} x " if protocol["devices"] > 1 else ""
    row = {
        "model": record["model"]["name"],
        **{axis: entry[axis] for axis in AXES[1:]},
        **{name: protocol[name] for name in SETTING if name in protocol},
        "threads": provenance["threads"],
        "device": f"{devices}{provenance['device']}",
        "parameters": size["parameters"],
        "weight_bytes": size["bytes"],
        "peak_memory_bytes": entry["peak_memory_bytes"],
    }
    for phase in PHASES:
        row |= {f"{phase}_{quantity}": value for quantity, value in entry[phase].items()}
        times = entry["speedup"][phase]
        row |= {
            f"{phase}_speedup{end}": times[name] for end, name in (("", "value"), ("_low", "low"), ("_high", "high"))
        }
    return row


def inference_command(records: list[Path], out: Path) -> None:
    """``sparsitysolver report inference``: records of ``bench inference`` to one table."""
    for line in collect_inference(records, out):
        print(line)
