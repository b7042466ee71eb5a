"""Collect cells into ``results/cells.csv``: long form, one row per metric, the one input of tables and figures."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import AXES, CELLS, LEAKAGE, PROTOCOL, RUN, SIZE
from sparsitysolver.records.files import Json, content_key
from sparsitysolver.reporting.collected.checks import cell_name, check_fingerprints, check_rows, check_samples
from sparsitysolver.reporting.collected.long_tables import read_finite, read_texts, write_rows
from sparsitysolver.reporting.collected.samples import Samples, read_samples, samples_path, write_samples

UNKNOWN = "unknown"  # a flag of what was made from something that does not say what it has seen
_FLAGS = {True: "yes", False: "no", None: UNKNOWN}
# What the contract leaves open because skipped cells lack it, and a measured cell must have.
_MEASURED = ("metrics", "fingerprint", "size")
_ORDER = ("model", "task", "split", "method", "sparsity", "seed", "metric", "cell")  # of rows


def read_cell(path: Path) -> Json:
    """Read and check a cell file.

    Raises:
        SparsitySolverError: it is missing, broken, no valid cell, lacks what a measured cell must have, or holds a
            number that is NaN or infinite; the message names the file.
    """
    cell = read_finite(path, "cell", cell_name)
    missing = [field for field in _MEASURED if not cell.get(field)] if cell["status"] == "ok" else []
    if missing:
        raise SparsitySolverError(f"{path} is not a valid cell: measured (status ok), but without {missing[0]}.")
    return cell


def collect(cells: Sequence[Path], out: Path) -> None:
    """``report collect``: write ``cells.csv``, and ``cells.samples.npz`` beside it, from cell files in any order.

    A skipped cell has one row with empty metric and its reason.
    """
    paths = sorted(set(map(Path, cells)))  # the first of two differing cells is always the same one
    records = {path.stem: read_cell(path) for path in paths}
    check_fingerprints(list(records.values()), [cell_name(records[path.stem], path) for path in paths])
    rows = [row for key, cell in records.items() for row in _rows(cell, key)]
    write_rows(out, CELLS.columns, sorted(rows, key=lambda row: [row[axis] for axis in _ORDER]))
    write_samples(records, samples_path(out))


def _rows(cell: Json, key: str) -> list[Json]:
    """A row per metric; what a cell does not say stays empty."""
    fingerprint, provenance = cell.get("fingerprint"), cell["provenance"]
    calibration, search = cell.get("calibration") or {}, cell.get("search") or {}
    found = (cell.get("strategy") or {}).get("found") or {} if search else {}
    shared = {
        "cell": key,
        "model": cell["model"]["name"],
        "family": cell["model"]["family"],
        "weights_sha256": cell["model"]["weights_sha256"],
        **_select(cell, AXES[2:]),
        **_select(cell.get("size"), SIZE),
        "calibration_source": calibration.get("source"),
        "calibration_tokens": calibration.get("tokens"),
        "reconstruction_source": (cell.get("reconstruction") or {}).get("source"),
        "reward_source": found.get("task") or found.get("text"),
        "reward_split": search.get("reward_split"),
        "search_algorithm": search.get("algorithm"),
        "search_evaluations": search.get("evaluations"),
        "search_tokens": search.get("tokens"),
        **{flag: _FLAGS[value] for flag, value in (cell.get("leakage") or {}).items() if flag in LEAKAGE},
        **_select(fingerprint, PROTOCOL),
        "fingerprint": content_key(fingerprint) if fingerprint else None,
        "commit": provenance["commit"],
        "versions": "; ".join(f"{name} {version}" for name, version in sorted(provenance["versions"].items())),
        **_select(provenance, ("device", "processor", "threads")),
        **_select(cell.get("run"), RUN),
    }
    metrics = cell.get("metrics") if cell["status"] == "ok" else None
    return [shared | {"metric": name} | measured for name, measured in (metrics or {"": {}}).items()]


def _select(record: Json | None, keys: Sequence[str]) -> Json:
    return {key: (record or {}).get(key) for key in keys}


def read_cells_csv(path: Path) -> pd.DataFrame:
    """``cells.csv`` as a frame, checked: numbers as floats (empty: NaN), everything else as text."""
    texts = read_texts(path, CELLS).reset_index(drop=True)
    check_rows(texts, path)
    return texts.assign(**{column: pd.to_numeric(texts[column]) for column in CELLS.numbers})


def read_collected(path: Path) -> tuple[pd.DataFrame, Samples]:
    """``cells.csv`` and the samples beside it, checked against one another."""
    cells, samples = read_cells_csv(path), read_samples(samples_path(path))
    check_samples(cells, samples, path)
    return cells, samples
