"""Accepted values: what a grid's watched cells measured when somebody last looked and agreed; tracked by git."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import PROTOCOL, LongTable
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.checks import NAME
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.collected.long_tables import read_long, write_rows
from sparsitysolver.reporting.compare.verdicts import printed_scale

AXES = ("model", "method", "sparsity", "seed", "task", "split", "metric")
SEARCH = ("search_algorithm", "search_evaluations", "search_tokens")
MACHINE = ("device", "processor", "threads", "versions")  # what may move the last digits
COLUMNS = ("grid", *AXES, "value", *SEARCH, "weights_sha256", *PROTOCOL, *MACHINE, "commit", "cell")
_TABLE = LongTable("accepted values", " ".join(COLUMNS).replace(" value ", " value# "), row=AXES)
Key = tuple[str, ...]
Values = dict[Key, Json]


def name_of(key: Key) -> str:
    """What the value of some axes is called in messages."""
    return f"{NAME}, {{metric}}".format(**dict(zip(AXES, key, strict=True)))


def _by_axes(rows: Iterable[Json], path: Path) -> Values:
    values: Values = {}
    for row in rows:
        key = tuple(row[axis] for axis in AXES)
        if key in values:
            cells = f"{values[key]['cell']} and {row['cell']}"
            raise SparsitySolverError(f"{path}: {name_of(key)} stands twice, in {cells}.")
        values[key] = row
    return values


def measured_values(cells: Path) -> tuple[Values, dict[Key, str]]:
    """The values of ``cells.csv``, as tables print them (accuracies in percent) but unrounded.

    Returns:
        rows with the columns ``COLUMNS`` but the grid's, all text but the float ``value``; and for each cell that was
        skipped (its metric empty) the reason.
    """
    measured, skipped = [], {}
    for numbers in read_cells_csv(cells).to_dict("records"):
        row = {name: _text(value) for name, value in numbers.items()}
        if row["status"] == "skipped":
            skipped[tuple(row[axis] for axis in AXES)] = row["reason"]
        else:
            value = numbers["value"] * printed_scale(row["metric"])
            measured.append({column: row[column] for column in COLUMNS[1:]} | {"value": value})
    return _by_axes(measured, cells), skipped


def _text(value: object) -> str:
    """A field of ``cells.csv`` as text: whole numbers without a point, nothing for what is not there."""
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def read_accepted(path: Path, grid: str) -> Values:
    """The accepted values of a grid.

    Raises:
        SparsitySolverError: no such file, one of other columns or of another grid, a value that is no finite number, or
            two of the same axes.
    """
    if not path.is_file():
        raise SparsitySolverError(f"no accepted values at {path}; accept some with 'sparsitysolver report accept'.")
    rows = read_long(path, _TABLE).to_dict("records")
    for row in rows:
        if row["grid"] != grid:
            raise SparsitySolverError(f"{path} holds values of grid '{row['grid']}'; grid '{grid}' was asked for.")
    return _by_axes(rows, path)


def write_accepted(values: Sequence[Json], grid: str, path: Path) -> None:
    """Write accepted values, sorted by their axes: equal values give equal bytes."""
    rows = sorted(values, key=lambda row: [row[axis] for axis in AXES])
    write_rows(path, COLUMNS, [{"grid": grid, **row} for row in rows])


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
