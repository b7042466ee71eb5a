"""Collect reconstruction studies into ``results/reconstruction.csv``: one row per number of samples and modules."""

from collections.abc import Sequence
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.rows import read_finite, refuse_duplicates, write_rows

COLUMNS = ("model", "sparsity", "modules", "samples", "tokens", "ppl", "seconds_per_module", "seed", "gpus")
_ONE = ("model", "sparsity", "modules", "seed", "samples")  # may be measured once


def collect_reconstruction(paths: Sequence[Path], out: Path) -> None:
    """Write the rows of all studies; the same bytes for the same records in any order.

    Slicing without reconstruction is the row of 0 samples and 0 seconds of each choice of modules.

    Raises:
        SparsitySolverError: no valid record, a number that is not finite, times of other points than the record's, or
            one point measured twice.
    """
    rows = [row for path in sorted(set(paths)) for row in _rows(read_finite(path, "reconstruction"), path)]
    rows.sort(key=lambda row: tuple(row[column] for column in _ONE))
    refuse_duplicates(rows, _ONE, "reconstruction")
    write_rows(out, COLUMNS, rows)


def _rows(record: Json, path: Path) -> list[Json]:
    points, times = record["points"], record["run"]["points"]
    if [(p["modules"], p["samples"]) for p in points] != [(t["modules"], t["samples"]) for t in times]:
        raise SparsitySolverError(f"{path} is not a whole study: its times are those of other points; make it again.")
    shared = {"model": record["model"]["name"], "sparsity": record["sparsity"], "seed": record["seed"]}
    shared["gpus"] = record["run"].get("gpus")  # how many it had, 0 on a CPU; older records do not say
    none = {"samples": 0, "tokens": 0, "ppl": record["sliced"]["value"], "seconds_per_module": 0.0}
    rows = [shared | none | {"modules": modules} for modules in sorted({point["modules"] for point in points})]
    for point, time in zip(points, times, strict=True):
        own = {name: point[name] for name in ("modules", "samples", "tokens")} | {"ppl": point["ppl"]["value"]}
        rows.append(shared | own | {"seconds_per_module": time["seconds_per_module"]})
    return rows


def reconstruction_command(records: list[Path], out: Path) -> None:
    """``sparsitysolver report reconstruction``: records of ``study reconstruction`` to one table."""
    collect_reconstruction(records, out)
