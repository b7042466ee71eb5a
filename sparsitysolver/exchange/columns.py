"""Tables with a column of layers or units and a column of ratios, read and written."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.exchange.entries import Entry, number
from sparsitysolver.exchange.formats import KEPT, REMOVED
from sparsitysolver.records.files import Json, write_text

NAMES = ("name", "unit", "module", "layer")  # the first that a table has names its units
VALUES = {"ratio": None, "density": KEPT, "sparsity": REMOVED}  # what a column's numbers are, where its name says so
EXPORTED = ("name", "kind", "size", "kept", "density")


def header(text: str) -> tuple[list[str], str]:
    """Names of the columns, in lower case, and the delimiter."""
    first = next(line for line in text.splitlines() if line.strip())
    delimiter = max(",;\t", key=first.count)
    return [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter))], delimiter


def is_table(text: str) -> bool:
    """Whether a text starts with a line of column names that tell what is what."""
    columns = header(text)[0]
    return any(name in columns for name in NAMES) and any(value in columns for value in VALUES)


def table(text: str, path: Path) -> tuple[list[Entry], str | None]:
    """Entries of a table, and what its column of numbers says of their meaning.

    Raises:
        SparsitySolverError: no column of units, or not exactly one of ratios; a cell that is no number.
    """
    columns, delimiter = header(text)
    name = next((column for column in NAMES if column in columns), None)
    values = [column for column in VALUES if column in columns]
    if name is None or len(values) != 1:
        raise SparsitySolverError(
            f"{path}, line 1: columns {', '.join(columns)} found; one of {', '.join(NAMES)} and exactly one of "
            f"{', '.join(VALUES)} are needed."
        )
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    entries = []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if not entries and [cell.strip().lower() for cell in row] == columns:
            continue
        if len(row) != len(columns):
            raise SparsitySolverError(
                f"{path}, line {reader.line_num}: {len(row)} fields found; the header has {len(columns)}."
            )
        cells = dict(zip(columns, row, strict=True))
        value = number(cells[values[0]], f"{path}, line {reader.line_num}, column {values[0]}")
        entries.append(Entry(reader.line_num, cells[name].strip(), value))
    return entries, VALUES[values[0]]


def write_table(strategy: Json, path: Path) -> None:
    """Write a strategy as a table that :func:`table` reads back to the same counts."""
    rows: list[Sequence[str | int | float]] = [EXPORTED]
    for unit in strategy["units"]:
        rows.append([unit["name"], unit["kind"], unit["size"], unit["kept"], unit["kept"] / unit["size"]])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())
