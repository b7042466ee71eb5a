"""From a file of another tool to whole items of every unit within the budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.exchange import columns, levels
from sparsitysolver.exchange.entries import Entry, Names, by_unit, read_lines
from sparsitysolver.exchange.formats import AUTO, CSV, EVOPRESS, FORMATS, KEPT, LEVELS, RATIOS
from sparsitysolver.exchange.listed import listed, named_lines
from sparsitysolver.pruning.budget import Bounds, projection
from sparsitysolver.pruning.units import STRUCTURED, Unit, kept_weights

TOLERANCE = 0.005  # of a file's sparsity: more is another budget, not another rounding
_PRINTED = Fraction(1, 10**5)  # of an item: files round ratios, which must not cost a whole item


@dataclass(frozen=True)
class Densities:
    """What a file asks for: the fraction of every unit that stays, exactly; and how it was read."""

    values: list[Fraction]
    format: str
    facts: dict[str, Any]

    def sparsity(self, units: Sequence[Unit]) -> float:
        """The sparsity that the file asks for, before anything is rounded to whole items."""
        kept = sum(value * unit.weights for value, unit in zip(self.values, units, strict=True))
        return float(1 - kept / sum(unit.weights for unit in units))


def read_densities(
    path: Path,
    names: Names,
    granularity: str,
    sparsity: float,
    hidden: int,
    form: str = AUTO,
    means: str | None = None,
    level_count: int = LEVELS,
) -> Densities:
    """Read a file of levels or ratios.

    Args:
        path: the file.
        names: the model's units and what they are called elsewhere.
        granularity: of the units; levels are those of weight matrices.
        sparsity: what level 0 stands for.
        hidden: the model's hidden size, which levels are steps of.
        form: one of ``FORMATS``.
        means: whether ratios are of what is ``kept`` or ``removed``; a table's column may say so itself.
        level_count: EvoPress's ``num_levels``.

    Raises:
        SparsitySolverError: whatever is wrong with the file, with the line.
    """
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    text = read_lines(path)
    form = _recognised(text, path) if form == AUTO else form
    if form == EVOPRESS:
        if granularity == STRUCTURED:
            raise SparsitySolverError(
                f"{path} holds EvoPress levels, which are of weight matrices: give --granularity unstructured."
            )
        found = named_lines(text, path)
        if found is None:
            raise SparsitySolverError(f"{path}: not every line reads like 'model.layers.0.self_attn.q_proj: 3'.")
        values = levels.level_densities(by_unit(found, names, path), names.units, sparsity, hidden, level_count, path)
        return Densities(values, form, {"levels": level_count, "step": levels.step(sparsity, hidden, level_count)})
    if form == CSV:
        entries, said = columns.table(text, path)
        if said and means and said != means:
            raise SparsitySolverError(f"{path}: its column is of what is {said}, and --means {means} was given.")
        means = said or means
    else:
        entries = named_lines(text, path) or listed(text, names, path)
    if means is None:
        raise SparsitySolverError(
            f"{path} does not say whether its ratios are of what is kept or removed: give --means kept or removed."
        )
    return Densities(_densities(by_unit(entries, names, path), means, path), form, {"means": means})


def _recognised(text: str, path: Path) -> str:
    if path.suffix.lower() == ".csv" or columns.is_table(text):
        return CSV
    named = named_lines(text, path) if ":" in text else None
    return EVOPRESS if named and all(entry.value.denominator == 1 for entry in named) else RATIOS


def _densities(entries: Sequence[Entry], means: str, path: Path) -> list[Fraction]:
    for entry in entries:
        if not 0 <= entry.value <= 1:
            raise SparsitySolverError(
                f"{path}, line {entry.line}: ratio {float(entry.value):g} of {entry.name} found; from 0 to 1 is needed."
            )
    return [entry.value if means == KEPT else 1 - entry.value for entry in entries]


def whole_items(units: Sequence[Unit], densities: Densities, granularity: str) -> list[int]:
    """Items nearest to what is asked for; ratios of weight matrices round up, as Wanda removes floor(size * s)."""
    rule = _nearest if granularity == STRUCTURED or densities.format == EVOPRESS else _at_least
    return [rule(unit.size * value) for unit, value in zip(units, densities.values, strict=True)]


def _nearest(items: Fraction) -> int:
    return int(items + Fraction(1, 2))


def _at_least(items: Fraction) -> int:
    return max(0, ceil(items - _PRINTED))


def settle(
    units: Sequence[Unit], densities: Densities, sparsity: float, granularity: str, project: bool, path: Path
) -> tuple[list[int], bool]:
    """Kept items of every unit, and whether they were projected onto the budget.

    Counts stay those of the file where its own mean misses the target by no more than rounding (one item of every
    unit), whatever whole items then make of it; else they are projected
    (:func:`sparsitysolver.pruning.budget.projection`).

    Raises:
        SparsitySolverError: the file is for another sparsity, by more than ``TOLERANCE``, and ``project`` does not
            allow to change that.
    """
    asked = densities.sparsity(units)
    miss = abs(asked - sparsity)
    if miss > TOLERANCE and not project:
        raise SparsitySolverError(
            f"{path} asks for sparsity {asked:.4f}, and --sparsity is {sparsity}: give the file's own, or --project "
            "to shift all its ratios onto this budget."
        )
    rounding = kept_weights(units, [1] * len(units)) / sum(unit.weights for unit in units)
    if miss <= rounding and not project:
        return whole_items(units, densities, granularity), False
    wanted = np.array([float(value) for value in densities.values])
    return projection(wanted, units, sparsity, Bounds(0.0, 1.0)), True
