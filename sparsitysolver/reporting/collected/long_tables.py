"""Long tables of the results folder, read back whole and checked: every error names the file, and the cell in it."""

import csv
import math
from pathlib import Path

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import MAYBE, LongTable

# What a row is called in messages, as far as it has these; an arena's has an algorithm in place of a method.
_AXES = ("model", "method", "algorithm", "sparsity", "seed")


def read_long(path: Path, table: LongTable) -> pd.DataFrame:
    """A long table, checked; the index is the line in the file, numbers are float64, other columns text.

    Raises:
        SparsitySolverError: no such file, no table, a missing column, or a cell that holds no finite number.
    """
    frame = _texts(path, table.what)
    frame = frame.assign(**{column: "" for column in table.later if column not in frame})
    missing = [column for column in table.columns if column not in frame]
    if missing:
        wanted = ", ".join(table.columns)
        raise SparsitySolverError(
            f"{path}: column '{missing[0]}' is missing; {table.what} have {wanted}. Make the file anew."
        )
    numbers = {name: finite_numbers(path, frame, name, table) for name in table.numbers}
    return frame.assign(**numbers)


def finite_numbers(path: Path, frame: pd.DataFrame, column: str, table: LongTable) -> pd.Series:
    """A column of texts as finite numbers; NaN where it may be empty and is.

    Raises:
        SparsitySolverError: another cell holds no finite number.
    """
    numbers = pd.to_numeric(frame[column], errors="coerce").astype(float)
    numbers = numbers.where(numbers.abs() < math.inf)
    may_lack = (frame[column] == "") & (table.columns[column] == MAYBE)
    for line in numbers.index[numbers.isna() & ~may_lack]:
        raise no_number(path, frame, line, column, table.row)
    return numbers


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


def _texts(path: Path, what: str) -> pd.DataFrame:
    """All cells as text, by line."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.reader(handle, strict=True)
            header, lines, rows = next(reader, []), [], []
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise SparsitySolverError(
                        f"{path}, line {reader.line_num}: {len(row)} cells, where the header has {len(header)}."
                    )
                rows.append(row)
                lines.append(reader.line_num)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no {what} at {path}; make it with 'snakemake results/{path.name}'.") from error
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise SparsitySolverError(f"{path} cannot be read as a table of {what}: {error}.") from error
    return pd.DataFrame(rows, index=lines, columns=header, dtype=object)
