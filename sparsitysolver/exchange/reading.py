"""What a file of another tool says: a value for a name or a place, and the line it stands on.

Lines ``name: number``; a list as Python, numpy or JSON print it, in a log or alone; or a table with a column of layers
or units and a column of ratios.
"""

import csv
import difflib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.exchange.formats import KEPT, REMOVED
from sparsitysolver.pruning.units import Unit
from sparsitysolver.records.files import Json, write_text

NAMES = ("name", "unit", "module", "layer")  # the first that a table has names its units
VALUES = {"ratio": None, "density": KEPT, "sparsity": REMOVED}  # what a column's numbers are, where its name says so
EXPORTED = ("name", "kind", "size", "kept", "density")
_LINE = re.compile(r"\s*(?P<name>[\w.]+)\s*:\s*(?P<value>[^\s:]+)\s*")
_LIST = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]")  # with lists in it one level deep: a row per layer
_WRAPPED = re.compile(r"\b(?:np\.)?float\d+\(([^()]*)\)")  # numpy 2 shows np.float64(0.3)
_NUMBER = re.compile(r"[-+]?(?:\d|\.\d|nan\b|inf)", re.IGNORECASE)
_TOKEN = re.compile(r"[^\s,\[\]]+")
# OWL prints outlier ratios first, in a list as long, and then densities after these words.
_FINAL = re.compile(r"after adjustment\W*$")
_BEFORE = 80  # characters before a list in which they are looked for


@dataclass(frozen=True)
class Entry:
    """One value of a file; exact, as the file spells it."""

    line: int
    name: str
    value: Fraction


class Names:
    """Which units a name stands for: one unit, or all units of a layer.

    Args:
        units: the model's units at one granularity.
        modules: unit or layer by the names of its module (``models.skeleton.module_names``).
    """

    def __init__(self, units: Sequence[Unit], modules: Mapping[str, str]) -> None:
        self.units = units
        self.layers = 1 + max(unit.layer for unit in units)
        places = {unit.name: [index] for index, unit in enumerate(units)}
        for layer in range(self.layers):
            own = [index for index, unit in enumerate(units) if unit.layer == layer]
            places |= {f"layers.{layer}": own, str(layer): own}
        self._places = places | {name: places[part] for name, part in modules.items() if part in places}

    def places(self, entry: Entry, path: Path) -> list[int]:
        """Indices of the units that an entry is for, or an error with near names."""
        if entry.name in self._places:
            return self._places[entry.name]
        near = difflib.get_close_matches(entry.name, self._places, n=2, cutoff=0.6)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise SparsitySolverError(
            f"{path}, line {entry.line}: the model has no unit '{entry.name}' at this granularity{hint} It has "
            f"{self.layers} layers (0 to {self.layers - 1}) and {len(self.units)} units, {self.units[0].name} to "
            f"{self.units[-1].name}."
        )

    def by_unit(self, entries: Sequence[Entry], path: Path) -> list[Entry]:
        """The entry of every unit, in order; each takes exactly one."""
        found: dict[int, Entry] = {}
        for entry in entries:
            for place in self.places(entry, path):
                if place in found:
                    raise SparsitySolverError(
                        f"{path}, line {entry.line}: {self.units[place].name} has a value already, from line "
                        f"{found[place].line}; each unit takes one."
                    )
                found[place] = entry
        missing = [unit.name for place, unit in enumerate(self.units) if place not in found]
        if missing:
            raise SparsitySolverError(
                f"{path}: {len(found)} of the model's {len(self.units)} units have a value; {missing[0]} has none."
            )
        return [found[place] for place in range(len(self.units))]


def read_lines(path: Path) -> str:
    """The text of a file that another tool wrote; a missing, empty or binary one is an error."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no file at {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"cannot read {path} as text: {error}.") from error
    if not text.strip():
        raise SparsitySolverError(f"{path} is empty; ratios or levels of the model's units are needed.")
    return text


def _number(text: str, where: str) -> Fraction:
    try:
        return Fraction(text.strip())
    except (ValueError, ZeroDivisionError) as error:
        raise SparsitySolverError(f"{where}: '{text.strip()}' found; a finite number is needed.") from error


def named_lines(text: str, path: Path) -> list[Entry] | None:
    """Entries of lines ``name: number``; None where any other line is in the text."""
    found = [(line, _LINE.fullmatch(content)) for line, content in enumerate(text.splitlines(), 1) if content.strip()]
    if not all(match for _, match in found):
        return None
    return [Entry(line, match["name"], _number(match["value"], f"{path}, line {line}")) for line, match in found]


def listed(text: str, names: Names, path: Path) -> list[Entry]:
    """Entries of the one list in a text that has as many numbers as the model has layers or units, or an error.

    Of several the one after the words ``after adjustment`` counts; the same list twice counts once.
    """
    plain = _WRAPPED.sub(lambda match: match[1].center(len(match[0])), text)  # of the same length: places stay
    spans = [match.span() for match in _LIST.finditer(plain)] or [(0, len(plain))]
    lists = [list(_TOKEN.finditer(plain, *span)) for span in spans]
    lists = [tokens for tokens in lists if tokens and _NUMBER.match(tokens[0].group())]
    of_length = {names.layers: [f"layers.{i}" for i in range(names.layers)]}
    of_length[len(names.units)] = [unit.name for unit in names.units]
    fitting = [tokens for tokens in lists if len(tokens) in of_length]
    starts = [tokens[0].start() for tokens in fitting]
    final = [found for found, at in zip(fitting, starts) if _FINAL.search(plain[max(0, at - _BEFORE) : at])]
    distinct = {tuple(token.group() for token in tokens): tokens for tokens in final or fitting}

    def line_of(token: re.Match) -> int:
        return text.count("\n", 0, token.start()) + 1

    if len(distinct) != 1:
        wanted = f"{names.layers} numbers (one a layer) or {len(names.units)} (one a unit)"
        if distinct:
            lines = ", ".join(str(line_of(tokens[0])) for tokens in distinct.values())
            raise SparsitySolverError(f"{path}: {len(distinct)} lists of {wanted}, on lines {lines}; keep one of them.")
        if lists:
            found = ", ".join(f"{len(tokens)} on line {line_of(tokens[0])}" for tokens in lists[:3])
            raise SparsitySolverError(f"{path}: a list of {wanted} is needed for this model; lists found: {found}.")
        raise SparsitySolverError(f"{path}, line 1: no list of numbers found; a list of {wanted} is needed.")
    (tokens,) = distinct.values()
    return [
        Entry(line_of(token), name, _number(token.group(), f"{path}, line {line_of(token)}"))
        for name, token in zip(of_length[len(tokens)], tokens, strict=True)
    ]


def _header(text: str) -> tuple[list[str], str]:
    """Names of a table's columns, in lower case, and its delimiter."""
    first = next(line for line in text.splitlines() if line.strip())
    delimiter = max(",;\t", key=first.count)
    return [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter))], delimiter


def is_table(text: str) -> bool:
    """Whether a text starts with a line of column names that tell what is what."""
    columns, _ = _header(text)
    return not {*columns}.isdisjoint(NAMES) and not {*columns}.isdisjoint(VALUES)


def table(text: str, path: Path) -> tuple[list[Entry], str | None]:
    """Entries of a table with a column of units and exactly one of ratios; and what that column's name says of them."""
    columns, delimiter = _header(text)
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
        blank = not any(cell.strip() for cell in row)
        if blank or (not entries and [cell.strip().lower() for cell in row] == columns):
            continue
        where = f"{path}, line {reader.line_num}"
        if len(row) != len(columns):
            raise SparsitySolverError(f"{where}: {len(row)} fields found; the header has {len(columns)}.")
        cells = dict(zip(columns, row, strict=True))
        value = _number(cells[values[0]], f"{where}, column {values[0]}")
        entries.append(Entry(reader.line_num, cells[name].strip(), value))
    return entries, VALUES[values[0]]


def write_table(strategy: Json, path: Path) -> None:
    """Write a strategy as a table that :func:`table` reads back to the same counts."""
    units = [unit | {"density": unit["kept"] / unit["size"]} for unit in strategy["units"]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([EXPORTED, *([unit[name] for name in EXPORTED] for unit in units)])
    write_text(path, text.getvalue())
