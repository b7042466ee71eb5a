"""A strategy as a function of relative depth, read off at the depths of another model (pure mathematics)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.budget import Bounds, projection
from sparsitysolver.pruning.units import Unit

# Kinds that not every family has, and what stands for them: the matrices that read the FFN's input are one in OPT (fc1)
# and two in LLaMA and Mistral (gate, up). All other kinds are the same everywhere.
STANDS_FOR: dict[str, tuple[str, ...]] = {
    "gate": ("ffn_input",),
    "up": ("ffn_input",),
    "ffn_input": ("gate", "up"),
}


@dataclass(frozen=True)
class Point:
    """What one unit of a strategy keeps: ``ratio`` of its items in [0, 1]."""

    kind: str
    layer: int
    ratio: float


def relative_depth(layer: int | np.ndarray, layers: int) -> float | np.ndarray:
    """0 for the first layer, 1 for the last; one half where there is but one."""
    return layer / (layers - 1) if layers > 1 else layer + 0.5


def curve_at(points: Sequence[Point], kind: str, layers: int, depth: float) -> float:
    """The ratio of a kind at a relative depth, linear between the layers of the strategy.

    A kind that the strategy lacks is the mean of those that stand for it.

    Raises:
        SparsitySolverError: neither the kind nor one that stands for it is in the strategy.
    """
    kinds = {point.kind for point in points}
    sources = (kind,) if kind in kinds else tuple(k for k in STANDS_FOR.get(kind, ()) if k in kinds)
    if not sources:
        raise SparsitySolverError(
            f"the strategy has no units of kind {kind}, nor any that stand for it; it has {', '.join(sorted(kinds))}."
        )
    values = []
    for source in sources:
        own = sorted((point.layer, point.ratio) for point in points if point.kind == source)
        at, ratios = zip(*own, strict=True)
        values.append(np.interp(depth, relative_depth(np.array(at), layers), ratios))
    return float(np.mean(values))


def wanted_ratios(points: Sequence[Point], units: Sequence[Unit]) -> np.ndarray:
    """The ratio that every unit of another model gets, (units,), before any budget."""
    layers = 1 + max(point.layer for point in points)
    own = 1 + max(unit.layer for unit in units)
    return np.array([curve_at(points, unit.kind, layers, float(relative_depth(unit.layer, own))) for unit in units])


def transferred_counts(points: Sequence[Point], units: Sequence[Unit], sparsity: float) -> list[int]:
    """Items that every unit of another model keeps: its ratios by depth, projected onto the budget within [0, 1]."""
    return projection(wanted_ratios(points, units), units, sparsity, Bounds(0.0, 1.0))
