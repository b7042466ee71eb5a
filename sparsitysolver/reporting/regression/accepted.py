"""Accepted values: what a grid's watched cells measured when somebody last looked and agreed; tracked by git."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import PROTOCOL
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.collected.rows import write_rows
from sparsitysolver.reporting.compare.verdicts import printed_scale

AXES = ("model", "method", "sparsity", "seed", "task", "split", "metric")
SEARCH = ("search_algorithm", "search_evaluations", "search_tokens")
MACHINE = ("device", "processor", "threads", "versions")  # what may move the last digits
COLUMNS = ("grid", *AXES, "value", *SEARCH, "weights_sha256", *PROTOCOL, *MACHINE, "commit", "cell")
Key = tuple[str, ...]
Values = dict[Key, Json]


def key_of(row: Json) -> Key:
    """The axes of a value, as text."""
    return tuple(row[axis] for axis in AXES)


def name_of(key: Key) -> str:
    """What a value is called in messages."""
    model, method, sparsity, seed, task, split, metric = key
    return f"{model}, {method}, {sparsity}, seed {seed}, {task} {split}, {metric}"


def measured_values(cells: Path) -> tuple[Values, dict[Key, str]]:
    """The values of ``cells.csv``, as tables print them (accuracies in percent) but unrounded.

    Returns:
        rows with the columns ``COLUMNS`` but the grid's, all text but the float ``value``; and for each cell that was
        skipped (its metric empty) the reason.

    Raises:
        SparsitySolverError: a number that is not finite, two cells with the same axes, or two that may not be
            compared: other protocol or weights within a model and task, other protocol rules within a task.
    """
    rows = [{name: _text(value) for name, value in row.items()} for row in read_cells_csv(cells).to_dict("records")]
    skipped = {key_of(row): row["reason"] for row in rows if row["status"] == "skipped"}
    measured: Values = {}
    for row in (row for row in rows if row["status"] != "skipped"):
        key = key_of(row)
        if key in measured:
            raise SparsitySolverError(
                f"{cells}: {name_of(key)} stands twice, in {row['cell']} and {measured[key]['cell']}."
            )
        row["value"] = _finite(row["value"], cells, key) * printed_scale(row["metric"])
        measured[key] = {column: row[column] for column in COLUMNS if column != "grid"}
    return measured, skipped


def read_accepted(path: Path, grid: str) -> Values:
    """The accepted values of a grid.

    Raises:
        SparsitySolverError: no such file, one of other columns or of another grid, a value that is no finite number.
    """
    try:
        with path.open(newline="") as handle:
            reader = csv.DictReader(handle)
            rows, columns = list(reader), reader.fieldnames or []
    except FileNotFoundError as error:
        raise SparsitySolverError(
            f"no accepted values at {path}; accept some with 'sparsitysolver report accept'."
        ) from error
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise SparsitySolverError(f"{path} holds no accepted values: column '{missing[0]}' is missing.")
    accepted: Values = {}
    for row in rows:
        key = key_of(row)
        if row["grid"] != grid:
            raise SparsitySolverError(f"{path} holds values of grid '{row['grid']}'; grid '{grid}' was asked for.")
        if key in accepted:
            raise SparsitySolverError(f"{path}: {name_of(key)} stands twice.")
        accepted[key] = row | {"value": _finite(row["value"], path, key)}
    return accepted


def write_accepted(values: Sequence[Json], grid: str, path: Path) -> None:
    """Write accepted values, sorted by their axes: equal values give equal bytes."""
    write_rows(path, COLUMNS, [{"grid": grid, **row} for row in sorted(values, key=key_of)])


def accept_command(cells: Path, grid: str, out: Path | None = None) -> None:
    """``sparsitysolver report accept``: the values of ``cells`` take the place of the accepted ones, ``out``."""
    out = out or Path("results") / "accepted" / f"{grid}.csv"
    measured, _ = measured_values(cells)
    if not measured:
        raise SparsitySolverError(f"{cells} holds no measured cells to accept.")
    before = read_accepted(out, grid) if out.is_file() else {}
    write_accepted(list(measured.values()), grid, out)
    changed = sum(before[key]["value"] != row["value"] for key, row in measured.items() if key in before)
    print(
        f"{out}: {len(measured)} values accepted for grid {grid} ({len(measured.keys() - before.keys())} new, "
        f"{changed} changed, {len(before.keys() - measured.keys())} dropped)."
    )
    unclean = sum(row["commit"].endswith("-dirty") or row["commit"] == "unknown" for row in measured.values())
    if unclean:
        print(f"warning: {unclean} of them come from no clean commit; nobody else can make them again.")


def _text(value: object) -> str:
    """A field of ``cells.csv`` as text: whole numbers without a point, nothing for what is not there."""
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _finite(text: str, path: Path, key: Key) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SparsitySolverError(f"{path}: {name_of(key)} is '{text}'; a finite number is needed.")
    return value
