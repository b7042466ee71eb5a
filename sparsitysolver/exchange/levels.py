"""EvoPress's level files: a line ``model.layers.0.self_attn.q_proj: 3`` for every weight matrix.

Sieberling et al. 2024, repository IST-DASLab/EvoPress at 50888a0: ``prune.py`` (the step in weights) and
``src/pruner.py``, ``_prune_group`` (the levels). A step removes as many weights from one matrix as from any other, so
levels that add up to zero keep the total.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.exchange.entries import Entry
from sparsitysolver.exchange.formats import LEVELS
from sparsitysolver.pruning.units import Unit


def step(sparsity: float, hidden: int, levels: int = LEVELS) -> int:
    """Weights that one level removes; in floating point, as EvoPress computes it."""
    return int(0.5 * min(sparsity, 1 - sparsity) / levels * hidden**2)


def level_densities(
    entries: Sequence[Entry], units: Sequence[Unit], sparsity: float, hidden: int, levels: int, path: Path
) -> list[Fraction]:
    """The fraction of every matrix that stays; a higher level keeps less.

    Args:
        entries: the level of every unit, in order.
        units: weight matrices.
        sparsity: that of level 0.
        hidden: the model's hidden size.
        levels: steps of EvoPress's database on either side.
        path: the file, for errors.

    Raises:
        SparsitySolverError: a level that is not whole, or that EvoPress's database does not hold.
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
