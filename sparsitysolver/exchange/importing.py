"""From a file of another tool to whole items of every unit within the budget.

EvoPress's level files have a line ``model.layers.0.self_attn.q_proj: 3`` for every weight matrix (Sieberling et al.
2024, repository IST-DASLab/EvoPress at 50888a0: ``prune.py``, the step in weights, and ``src/pruner.py``,
``_prune_group``, the levels). A step removes as many weights from one matrix as from any other, so levels that add up
to zero keep the total.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.exchange.formats import AUTO, CSV, EVOPRESS, FORMATS, KEPT, LEVELS, RATIOS
from sparsitysolver.exchange.reading import Entry, Names, is_table, listed, named_lines, read_lines, table
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
    levels: int = LEVELS,
) -> Densities:
    """Read a file of levels (of weight matrices) or ratios; whatever is wrong with it is an error, with the line.

    ``form`` is one of ``FORMATS``; ``sparsity`` what level 0 stands for, ``hidden`` the model's size, which levels are
    steps of, ``levels`` EvoPress's ``num_levels``; ``means`` whether ratios are of what is ``kept`` or ``removed``,
    where a table's column does not say so itself.
    """
    known("format", form, FORMATS)
    text = read_lines(path)
    if form == AUTO:
        form = _recognised(text, path)
    if form == EVOPRESS:
        if granularity == STRUCTURED:
            raise SparsitySolverError(
                f"{path} holds EvoPress levels, which are of weight matrices: give --granularity unstructured."
            )
        found = named_lines(text, path)
        if found is None:
            raise SparsitySolverError(f"{path}: not every line reads like 'model.layers.0.self_attn.q_proj: 3'.")
        values = level_densities(names.by_unit(found, path), names.units, sparsity, hidden, levels, path)
        return Densities(values, form, {"levels": levels, "step": step(sparsity, hidden, levels)})
    if form == CSV:
        entries, said = table(text, path)
        if said and means and said != means:
            raise SparsitySolverError(f"{path}: its column is of what is {said}, and --means {means} was given.")
        means = said or means
    else:
        entries = named_lines(text, path) or listed(text, names, path)
    if means is None:
        raise SparsitySolverError(
            f"{path} does not say whether its ratios are of what is kept or removed: give --means kept or removed."
        )
    entries = names.by_unit(entries, path)
    for entry in entries:
        if not 0 <= entry.value <= 1:
            raise SparsitySolverError(
                f"{path}, line {entry.line}: ratio {float(entry.value):g} of {entry.name} found; from 0 to 1 is needed."
            )
    values = [entry.value if means == KEPT else 1 - entry.value for entry in entries]
    return Densities(values, form, {"means": means})


def _recognised(text: str, path: Path) -> str:
    if path.suffix.lower() == ".csv" or is_table(text):
        return CSV
    named = named_lines(text, path) if ":" in text else None
    return EVOPRESS if named and all(entry.value.denominator == 1 for entry in named) else RATIOS


def step(sparsity: float, hidden: int, levels: int = LEVELS) -> int:
    """Weights that one level removes; in floating point, as EvoPress computes it."""
    return int(0.5 * min(sparsity, 1 - sparsity) / levels * hidden**2)


def level_densities(
    entries: Sequence[Entry], units: Sequence[Unit], sparsity: float, hidden: int, levels: int, path: Path
) -> list[Fraction]:
    """The fraction of every matrix that stays at the level of its entry; a higher level keeps less, 0 is ``sparsity``.

    A level that is not whole, or that EvoPress's database of ``levels`` steps on either side lacks, is an error.
    """
    uniform, weights = Fraction(str(sparsity)), step(sparsity, hidden, levels)
    densities = []
    for entry, unit in zip(entries, units, strict=True):
        share = Fraction(weights, unit.weights)
        lowest = -min(levels, int(uniform / share)) if share else -levels
        highest = min(levels, int((1 - uniform) / share)) if share else levels
        if entry.value.denominator != 1 or not lowest <= entry.value <= highest:
            raise SparsitySolverError(
                f"{path}, line {entry.line}: level {float(entry.value):g} found; {unit.name} has whole levels {lowest} "
                f"to {highest} at sparsity {sparsity}. Is --sparsity (or --levels) that of the file?"
            )
        densities.append(1 - uniform - entry.value * share)
    return densities


def settle(
    units: Sequence[Unit], densities: Densities, sparsity: float, granularity: str, project: bool, path: Path
) -> tuple[list[int], bool]:
    """Kept items of every unit, and whether they were projected onto the budget.

    Counts stay those nearest to the file's where its own mean misses the target by no more than rounding (one item of
    every unit), whatever whole items then make of it; ratios of weight matrices round up, as Wanda removes
    floor(size * s). Else they are projected (:func:`sparsitysolver.pruning.budget.projection`); more than ``TOLERANCE``
    needs ``project``.
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
        items = [unit.size * value for unit, value in zip(units, densities.values, strict=True)]
        if granularity == STRUCTURED or densities.format == EVOPRESS:
            return [int(exact + Fraction(1, 2)) for exact in items], False
        return [max(0, ceil(exact - _PRINTED)) for exact in items], False
    wanted = np.array([float(value) for value in densities.values])
    return projection(wanted, units, sparsity, Bounds(0.0, 1.0)), True
