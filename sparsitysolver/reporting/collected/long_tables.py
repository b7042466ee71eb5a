"""Long tables of the results folder: written from records, and read back whole and checked.

Every error names the file, and the cell in it.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import MAYBE, LongTable
from sparsitysolver.records.files import Json, atomic_path, read_record

# What a row is called in messages, as far as it has these; an arena's has an algorithm in place of a method.
_AXES = ("model", "method", "algorithm", "sparsity", "seed")


def read_finite(path: Path, kind: str, name: Callable[[Json, Path], str] = lambda _, path: str(path)) -> Json:
    """A record that is valid by its contract and holds finite numbers only, or an error that names the file."""
    record = read_record(path, kind)
    for where, value in _numbers(record):
        if not math.isfinite(value):
            raise SparsitySolverError(
                f"{name(record, path)}: {where} is {value}; a record of {kind} holds finite numbers only."
            )
    return record


def _numbers(value: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a JSON value with its place; Python's JSON reader accepts NaN and overflows to infinity."""
    if isinstance(value, float):
        yield where, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _numbers(item, f"{where}/{key}" if where else str(key))


def write_rows(path: Path, columns: Iterable[str], rows: Iterable[Json]) -> None:
    """Write rows under ``columns``, whole or not at all; what a row lacks stays empty."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def refuse_duplicates(rows: Iterable[Json], axes: Sequence[str], what: str) -> None:
    """Refuse two rows with the same axes: they would be two answers to one question."""
    seen = set()
    for row in rows:
        key = tuple(row[axis] for axis in axes)
        if key in seen:
            named = ", ".join(f"{axis} {row[axis]}" for axis in axes)
            raise SparsitySolverError(f"two measurements of {what}: {named}. Name one record of each.")
        seen.add(key)


def read_long(path: Path, table: LongTable) -> pd.DataFrame:
    """A long table, checked; the index is the line in the file, numbers are float64, other columns text.

    Raises:
        SparsitySolverError: no such file, no table, a missing column, or a cell that holds no finite number.
    """
    frame = read_texts(path, table)
    found = {}
    for column in table.numbers:
        numbers = pd.to_numeric(frame[column], errors="coerce").astype(float)
        found[column] = numbers.where(numbers.abs() < math.inf)
        may_lack = (frame[column] == "") & (table.columns[column] == MAYBE)
        for line in frame.index[found[column].isna() & ~may_lack]:
            raise no_number(path, frame, line, column, table.row)
    return frame.assign(**found)


def no_number(
    path: Path, frame: pd.DataFrame, line: int, column: str, row: tuple[str, ...] = ()
) -> SparsitySolverError:
    """What to say of a cell that holds no finite number and needs one."""
    text = frame.loc[line, column]
    shown = "empty" if text == "" or text != text else f"'{text}'"
    named = row_name(frame, line, row)
    return SparsitySolverError(f"{path}, line {line} ({named}): {column} is {shown}; a finite number is needed.")


def row_name(frame: pd.DataFrame, line: int, columns: tuple[str, ...] = ()) -> str:
    """What a row is called in messages: its model, method, sparsity and seed, or what other columns say."""
    chosen = columns or [axis for axis in _AXES if axis != "algorithm" or "method" not in frame]
    parts = [frame.loc[line, axis] for axis in chosen if axis in frame]
    return " × ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts if part != "")


def read_texts(path: Path, table: LongTable) -> pd.DataFrame:
    """A long table as it stands, all text, by line; columns that older files lack are empty.

    Raises:
        SparsitySolverError: no such file, no table, a row that is cut off, or a missing column.
    """
    what = table.what
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.reader(handle, strict=True)
            header, rows = next(reader, []), {}
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise SparsitySolverError(
                        f"{path}, line {reader.line_num}: {len(row)} cells, where the header has {len(header)}."
                    )
                rows[reader.line_num] = row
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no {what} at {path}; make it with 'snakemake results/{path.name}'.") from error
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise SparsitySolverError(f"{path} cannot be read as a table of {what}: {error}.") from error
    frame = pd.DataFrame(list(rows.values()), index=list(rows), columns=header, dtype=object)
    frame = frame.assign(**{column: "" for column in table.later if column not in frame})
    missing = [column for column in table.columns if column not in frame]
    if missing:
        wanted = ", ".join(table.columns)
        raise SparsitySolverError(
            f"{path}: column '{missing[0]}' is missing; {what} have {wanted}. Make the file anew."
        )
    return frame
