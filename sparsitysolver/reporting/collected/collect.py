"""Collect cells into ``results/cells.csv``: long form, one row per metric, the one input of tables and figures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import AXES, CELLS, LEAKAGE, PROTOCOL, RUN, SIZE
from sparsitysolver.records.files import Json, content_key, read_record
from sparsitysolver.reporting.collected.checks import check_rows, check_samples
from sparsitysolver.reporting.collected.fingerprints import cell_name, check_fingerprints
from sparsitysolver.reporting.collected.rows import numbers, write_rows
from sparsitysolver.reporting.collected.samples import Samples, read_samples, samples_path, write_samples

UNKNOWN = "unknown"  # a flag of what was made from something that does not say what it has seen
_FLAGS = {True: "yes", False: "no", None: UNKNOWN}
# What the contract leaves open because skipped cells lack it, and a measured cell must have.
_MEASURED = ("metrics", "fingerprint", "size")


def read_cells(paths: Sequence[Path]) -> list[Json]:
    """Read and check cell files.

    Raises:
        SparsitySolverError: a file is missing, broken, no valid cell, lacks what a measured cell must have, or holds
            a number that is NaN or infinite; the message names the file.
    """
    return [_read_cell(Path(path)) for path in paths]


def _read_cell(path: Path) -> Json:
    cell = read_record(path, "cell")
    for where, value in numbers(cell):
        if not math.isfinite(value):
            raise SparsitySolverError(
                f"{cell_name(cell, str(path))}: {where} is {value}; a cell holds finite numbers only."
            )
    missing = [field for field in _MEASURED if not cell.get(field)] if cell["status"] == "ok" else []
    if missing:
        raise SparsitySolverError(f"{path} is not a valid cell: measured (status ok), but without {missing[0]}.")
    return cell


def collect(cell_paths: Sequence[Path], out_csv: Path) -> None:
    """Write ``cells.csv``, and ``cells.samples.npz`` beside it: the same bytes for the same cells in any order.

    A skipped cell has one row with empty metric and its reason.

    Raises:
        SparsitySolverError: see :func:`read_cells` and :func:`check_fingerprints`.
    """
    paths = sorted({Path(path) for path in cell_paths})  # the first of two differing cells is always the same one
    cells = read_cells(paths)
    check_fingerprints(cells, [str(path) for path in paths])
    rows = [row for cell, path in zip(cells, paths, strict=True) for row in _rows(cell, path.stem)]
    rows.sort(key=_order)
    write_rows(out_csv, CELLS.columns, rows)
    write_samples({path.stem: cell for cell, path in zip(cells, paths, strict=True)}, samples_path(out_csv))


def _order(row: Json) -> tuple[Any, ...]:
    return tuple(row[key] for key in ("model", "task", "split", "method", "sparsity", "seed", "metric", "cell"))


def _rows(cell: Json, stem: str) -> list[Json]:
    shared = _shared_fields(cell) | {"cell": stem}
    metrics = cell.get("metrics") or {"": {}}
    if cell["status"] == "skipped":
        metrics = {"": {}}
    return [shared | {"metric": name} | _text(measured) for name, measured in metrics.items()]


def _shared_fields(cell: Json) -> Json:
    """The columns that every metric of a cell has in common; what a cell does not say stays empty."""
    fingerprint = cell.get("fingerprint")
    calibration, search, provenance = cell.get("calibration") or {}, cell.get("search") or {}, cell["provenance"]
    found = (cell.get("strategy") or {}).get("found") or {} if search else {}
    fields = {
        "model": cell["model"]["name"],
        "family": cell["model"]["family"],
        "weights_sha256": cell["model"]["weights_sha256"],
        **{key: cell.get(key) for key in AXES[2:]},
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
        **{key: provenance.get(key) for key in ("device", "processor", "threads")},
        **_select(cell.get("run"), RUN),
    }
    return _text(fields)


def _select(record: Json | None, keys: Sequence[str]) -> Json:
    return {key: (record or {}).get(key) for key in keys}


def _text(fields: Json) -> Json:
    return {key: "" if value is None else value for key, value in fields.items()}


def read_cells_csv(path: Path) -> pd.DataFrame:
    """``cells.csv`` as a frame: numbers as floats (empty: NaN), everything else as text.

    Raises:
        SparsitySolverError: no such file, not a table of cells, or one that :func:`check_rows` refuses.
    """
    try:
        texts = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise SparsitySolverError(
            f"no collected cells at {path}; make them with 'sparsitysolver report collect'."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is not a table of cells: {error}.") from error
    missing = [column for column in CELLS.columns if column not in texts]
    if missing:
        raise SparsitySolverError(f"{path} is not a table of cells: column '{missing[0]}' is missing; collect again.")
    check_rows(texts, path)
    return texts.assign(**{column: pd.to_numeric(texts[column]) for column in CELLS.numbers})


def read_collected(path: Path) -> tuple[pd.DataFrame, Samples]:
    """``cells.csv`` and the samples beside it, checked against one another.

    Raises:
        SparsitySolverError: see :func:`read_cells_csv`, :func:`read_samples` and :func:`check_samples`.
    """
    cells, samples = read_cells_csv(path), read_samples(samples_path(path))
    check_samples(cells, samples, path)
    return cells, samples


def collect_command(cells: list[Path], out: Path) -> None:
    """``sparsitysolver report collect``: cell files to ``cells.csv`` and ``cells.samples.npz``."""
    if not cells:
        raise SparsitySolverError("no cells to collect; name at least one cell file.")
    collect(cells, out)
