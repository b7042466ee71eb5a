"""Long tables of the results folder, read back whole and checked: every error names the file, and the cell in it."""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sparsitysolver.errors import SparsitySolverError

# What a row is called in messages, as far as it has these; an arena's has an algorithm in place of a method.
_AXES = ("model", "method", "algorithm", "sparsity", "seed")


@dataclass(frozen=True)
class Contract:
    """What a reader needs of a table.

    Attributes:
        what: what its rows are, in messages.
        texts: columns read as text.
        numbers: columns that must hold finite numbers.
        optional: columns whose numbers may be left empty (NaN).
        row: columns that name a row in messages; those of a search by default.
    """

    what: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    optional: tuple[str, ...] = ()
    row: tuple[str, ...] = ()


def read_long(path: Path, contract: Contract) -> pd.DataFrame:
    """A long table, checked; the index is the line in the file, numbers are float64, other columns text.

    Raises:
        SparsitySolverError: no such file, no table, a missing column, or a cell that holds no finite number.
    """
    frame = _texts(path, contract.what)
    wanted = [*contract.texts, *contract.numbers, *contract.optional]
    missing = [column for column in wanted if column not in frame]
    if missing:
        raise SparsitySolverError(
            f"{path}: column '{missing[0]}' is missing; {contract.what} have {', '.join(wanted)}. Make the file anew."
        )
    numbers = {name: finite_numbers(path, frame, name, contract.row) for name in contract.numbers}
    empty = {
        name: finite_numbers(path, frame, name, contract.row, lambda text, line: text == "")
        for name in contract.optional
    }
    return frame.assign(**numbers, **empty)


def finite_numbers(
    path: Path,
    frame: pd.DataFrame,
    column: str,
    row: tuple[str, ...] = (),
    may_lack: Callable[[str, int], bool] = lambda text, line: False,
) -> pd.Series:
    """A column of texts as finite numbers; NaN where a cell may lack one, by its text and line.

    Raises:
        SparsitySolverError: another cell holds no finite number.
    """
    numbers = pd.to_numeric(frame[column], errors="coerce").astype(float)
    numbers = numbers.where(numbers.abs() < math.inf)
    for line in numbers.index[numbers.isna()]:
        text = frame.loc[line, column]
        if not may_lack(text, line):
            shown = f"'{text}'" if text else "empty"
            named = row_name(frame, line, row)
            raise SparsitySolverError(f"{path}, line {line} ({named}): {column} is {shown}; a finite number is needed.")
    return numbers


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
