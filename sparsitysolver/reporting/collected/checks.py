"""What collected cells must still be when they are read again: whole, each once, of one protocol, as measured.

A file edited by hand, cut off, or put together from two runs is refused with the cell named: no table is made of it.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.fingerprints import check_fingerprints
from sparsitysolver.reporting.collected.samples import Samples, sample_key

_STATUS = ("ok", "skipped")
_AXES = ("sparsity", "seed")  # numbers that every row has
# Losses of windows are kept to eight decimals: the perplexity they give lies within 1e-8 of the recorded one.
_RELATIVE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Columns:
    """What kind of columns a table of cells has: numbers, those a measured row must have, those of the protocol."""

    numbers: tuple[str, ...]
    measured: tuple[str, ...]
    protocol: tuple[str, ...]


def check_rows(texts: pd.DataFrame, columns: Columns, path: Path) -> None:
    """Refuse a table of cells that is not as ``collect`` wrote it.

    Args:
        texts: the rows as they stand in the file, all text.
        columns: the kinds of its columns.
        path: the file, for the messages.

    Raises:
        SparsitySolverError: a row is cut off or stands twice, has an unknown status, lacks a number, or rows of one
            column or table were measured under different protocols; the message names the cell.
    """
    rows = texts.to_dict("records")
    for row in rows:
        _check_row(row, columns, path)
    twice = texts[texts.duplicated(["cell", "metric"])].to_dict("records")
    if twice:
        raise _broken(twice[0], f"metric '{twice[0]['metric']}' stands twice", path)
    check_fingerprints([_as_cell(row, columns.protocol) for row in rows], [_file(row, path) for row in rows])


def _check_row(row: Json, columns: Columns, path: Path) -> None:
    if not row["cell"]:  # the last column: pandas fills up rows that are too short
        raise _broken(row, "the row is cut off", path)
    if row["status"] not in _STATUS:
        raise _broken(row, f"unknown status '{row['status']}'", path)
    measured = row["status"] == "ok"
    if measured != bool(row["metric"]):
        raise _broken(row, f"status '{row['status']}' and metric '{row['metric']}' do not go together", path)
    needed = (*_AXES, *(columns.measured if measured else ()))
    for column in columns.numbers:
        if not _is_finite(row[column]) and (row[column] or column in needed):
            raise _broken(row, f"{column} is '{row[column]}', and a finite number is needed", path)


def _broken(row: Json, what: str, path: Path) -> SparsitySolverError:
    axes = f"{row['model']}, {row['method']}, {row['sparsity']}, seed {row['seed']}, {row['task']} {row['split']}"
    return SparsitySolverError(f"{axes} ({_file(row, path)}): {what}. Collect again.")


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _file(row: Json, path: Path) -> str:
    return f"cell {row['cell']} in {path}"


def _as_cell(row: Json, protocol: tuple[str, ...]) -> Json:
    """As much of a cell as the comparison of protocols reads."""
    fingerprint = {name: row[name] for name in (*protocol, "split", "fingerprint")}
    return {
        "model": {"name": row["model"], "weights_sha256": row["weights_sha256"]},
        "sparsity": float(row["sparsity"]),
        "fingerprint": fingerprint | ({"kind": "zero_shot"} if row["items_sha256"] else {}),
        **{name: row[name] for name in ("method", "seed", "task", "split", "status")},
    }


def check_samples(cells: pd.DataFrame, samples: Samples, path: Path) -> None:
    """Refuse samples that are not those of the collected cells: of a cell that is not there, missing, or another value.

    A column (model, task, split) without any samples passes: tables are made of values, samples say how sure they are.

    Args:
        cells: from :func:`read_cells_csv`.
        samples: from :func:`read_samples`.
        path: the table of cells, for the messages.

    Raises:
        SparsitySolverError: names the cell.
    """
    measured = cells[cells["status"] == "ok"]
    rows = {sample_key(row["cell"], row["metric"]): row for row in measured.to_dict("records")}
    for key in samples:
        if key not in rows:
            raise SparsitySolverError(
                f"{path} lacks cell {key.replace('/', ', metric ')}, which has samples beside it; collect again."
            )
    sampled = {_column(rows[key]) for key in samples}
    for key, row in rows.items():
        if _column(row) in sampled:
            _check_sample(row, samples.get(key), path)


def _column(row: Json) -> tuple[str, str, str]:
    return row["model"], row["task"], row["split"]


def _check_sample(row: Json, sample: np.ndarray | None, path: Path) -> None:
    metric = row["metric"]
    if sample is None:
        raise _broken(row, f"no samples of '{metric}', which other cells of its column have", path)
    mean = float(np.mean(sample))
    value = float(np.exp(mean)) if metric == PERPLEXITY_METRIC else mean
    if len(sample) != row["n"] or not math.isclose(value, row["value"], rel_tol=_RELATIVE_TOLERANCE):
        measured, sampled = f"{row['value']:g} over {row['n']:g}", f"{value:g} over {len(sample)}"
        raise _broken(row, f"{metric} is {measured} windows or items, and its samples give {sampled}", path)
