"""Printed tables read strictly: every number exactly as it is printed, or one error that names the place."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sparsitysolver.config.contract import read_lines
from sparsitysolver.config.paper import other_rows
from sparsitysolver.config.tables import DASH, DENSE, METHOD, descriptive_columns
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import read_json

SETTINGS = "Parameters"  # first column of tables that hold settings, not measurements
TWIN = "_extended"  # what this project writes beside a table, under the table's name
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d{1,3})?", re.IGNORECASE)


@dataclass(frozen=True)
class Number:
    """A printed number: its text, its exact value, and one unit of its last printed digit (0.01 for 34.10)."""

    text: str
    value: Fraction
    unit: Fraction

    @classmethod
    def parse(cls, text: str) -> "Number | None":
        """A decimal number such as 34.10 or 1.2e4; None for anything else, NaN and infinity included."""
        if not _NUMBER.fullmatch(text):
            return None
        mantissa, _, exponent = text.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        return cls(text, Fraction(text), Fraction(10) ** (int(exponent or 0) - decimals))

    def prints(self, value: Fraction) -> bool:
        """Whether ``value`` rounds or truncates to this number; of a value half way both neighbours will do."""
        return abs(value - self.value) <= self.unit / 2 or 0 <= value - self.value < self.unit


@dataclass(frozen=True)
class PrintedTable:
    """A table in the form of ``config/paper``.

    A table of this project says how many answers, over items and seeds, an accuracy rests on, by row and column.
    """

    name: str  # the file's stem
    path: Path
    rows: tuple[str, ...]  # names of all rows, in order
    methods: tuple[str, ...]  # rows that hold the table's metric and no other quantity
    columns: tuple[str, ...]  # number columns, in order
    numbers: dict[tuple[str, str], Number]  # by row and column; a dash has none
    answers: dict[str, dict[str, int]] | None  # None where the table does not come with such counts

    @property
    def dense(self) -> str | None:
        """The dense model's row, which has that name in any case."""
        return next((name for name in self.methods if name.lower() == DENSE), None)


def find_tables(path: Path) -> list[Path]:
    """The table files of a folder, or the one file.

    In a folder these are ``table*.csv`` and every other CSV file with a column ``Method``, without tables of settings
    (``Parameters``) and what this project writes beside a table (``tableN_extended.csv``, ``tableN.pairs.csv``).

    Raises:
        SparsitySolverError: nothing there, or a folder without tables.
    """
    if not path.exists():
        raise SparsitySolverError(
            f"{path} does not exist; name a folder of tables, such as config/paper, or a CSV file."
        )
    if not path.is_dir():
        return [path]
    tables, every = [], sorted(path.glob("*.csv"))
    for file in every:
        if file.is_file() and "." not in file.stem and not file.stem.endswith(TWIN):
            with file.open(encoding="utf-8-sig", errors="replace") as handle:
                columns = [cell.strip().strip('"') for cell in handle.readline().split(",")]
            if SETTINGS not in columns and (file.stem.startswith("table") or METHOD in columns):
                tables.append(file)
    if not tables:
        found = ", ".join(file.name for file in every) or "no CSV file"
        raise SparsitySolverError(
            f"no tables in {path}: looked for table*.csv and CSV files with a column '{METHOD}'; found {found}."
        )
    # Text and digits of a name in turn, so that table10 follows table9.
    parts = {file: re.split(r"(\d+)", file.stem) for file in tables}
    return sorted(tables, key=lambda file: [int(part) if part.isdecimal() else part for part in parts[file]])


def read_printed(path: Path) -> PrintedTable:
    """Read and check one table.

    Raises:
        SparsitySolverError: no table, no row, two of one name or one without, no number column, or a cell of one that
            is neither a number nor a dash; see also :func:`~sparsitysolver.config.contract.read_lines`.
    """
    header, rows = _named_rows(path)
    if not rows:
        raise SparsitySolverError(f"{path}: no rows beneath the header; at least one is needed.")
    file = path.with_suffix(".footnotes.json")
    sidecar = read_json(file, "table's footnotes") if file.is_file() else None
    # Columns named like registered models (``model@sparsity`` too) or tasks, or like those a written table lists.
    own = {*sidecar.get("models", []), *sidecar.get("tasks", [])} if sidecar else set()
    described = descriptive_columns(header)
    columns = [name for name in header if name not in described or name.split("@")[0] in own]
    if not columns:
        raise SparsitySolverError(
            f"{path}, line 1: no number column; these are named by keys of config/models.tsv (or model@sparsity), "
            f"keys of config/tasks.tsv, or 'average'. Found {', '.join(header)}."
        )
    numbers = {}
    for name, (line, cells) in rows.items():
        for column in columns:
            number = Number.parse(cells[column])
            if number is not None:
                numbers[name, column] = number
            elif cells[column] != DASH:
                raise SparsitySolverError(
                    f"{path}, line {line}, row '{name}', column '{column}': '{cells[column]}' is no number; a decimal "
                    f"number is needed, or '{DASH}' for none."
                )
    others = other_rows(path.parent)
    methods = tuple(name for name in rows if name not in others)
    answers = None if sidecar is None else sidecar.get("answers", {})
    return PrintedTable(path.stem, path, tuple(rows), methods, tuple(columns), numbers, answers)


def _named_rows(path: Path) -> tuple[list[str], dict[str, tuple[int, dict[str, str]]]]:
    """Header, and rows by their name: line and cells by column."""
    header, lines = read_lines(path, METHOD)
    rows: dict[str, tuple[int, dict[str, str]]] = {}
    for line, cells in lines:
        name = cells[METHOD]
        if not name or name in rows:
            fault = f"stands in line {rows[name][0]} too" if name else "has no name"
            raise SparsitySolverError(
                f"{path}, line {line}, row '{name}', column '{METHOD}': the row {fault}; every row needs its own name."
            )
        rows[name] = (line, cells)
    return header, rows
