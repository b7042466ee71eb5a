"""What a file of another tool says: a value for a name or a place, and the line it stands on."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import Unit


@dataclass(frozen=True)
class Entry:
    """One value of a file; exact, as the file spells it."""

    line: int
    name: str
    value: Fraction


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


def number(text: str, where: str) -> Fraction:
    """A finite decimal number, or an error that says where it stands."""
    try:
        return Fraction(text.strip())
    except (ValueError, ZeroDivisionError) as error:
        raise SparsitySolverError(f"{where}: '{text.strip()}' found; a finite number is needed.") from error


class Names:
    """Which units a name stands for: one unit, or all units of a layer.

    Args:
        units: the model's units at one granularity.
        modules: unit or layer by the names of its module (``models.skeleton.module_names``).
    """

    def __init__(self, units: Sequence[Unit], modules: Mapping[str, str]) -> None:
        self.units = units
        self.layers = 1 + max(unit.layer for unit in units)
        places = {unit.name: (index,) for index, unit in enumerate(units)}
        for layer in range(self.layers):
            places[f"layers.{layer}"] = tuple(i for i, unit in enumerate(units) if unit.layer == layer)
            places[str(layer)] = places[f"layers.{layer}"]
        self._places = places | {name: places[part] for name, part in modules.items() if part in places}

    def places(self, entry: Entry, path: Path) -> tuple[int, ...]:
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


def by_unit(entries: Sequence[Entry], names: Names, path: Path) -> list[Entry]:
    """The entry of every unit, in order.

    Raises:
        SparsitySolverError: an unknown name, a unit that two lines give a value, or one without any.
    """
    found: list[Entry | None] = [None] * len(names.units)
    for entry in entries:
        for place in names.places(entry, path):
            before = found[place]
            if before is not None:
                raise SparsitySolverError(
                    f"{path}, line {entry.line}: {names.units[place].name} has a value already, from line "
                    f"{before.line}; each unit takes one."
                )
            found[place] = entry
    whole = [entry for entry in found if entry is not None]
    if len(whole) < len(found):
        missing = names.units[found.index(None)].name
        raise SparsitySolverError(
            f"{path}: {len(whole)} of the model's {len(found)} units have a value; {missing} has none."
        )
    return whole
