"""A strategy of one model as a strategy of another: ratios by relative depth, read off at the other's depths."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.budget import Bounds, projection
from sparsitysolver.pruning.strategy import make_strategy
from sparsitysolver.pruning.units import Unit
from sparsitysolver.records.files import Json, content_key, identity
from sparsitysolver.records.seen import seen_by

# Kinds that not every family has, and what stands for them: the matrices that read the FFN's input are one in OPT (fc1)
# and two in LLaMA and Mistral (gate, up). All other kinds are the same everywhere.
STANDS_FOR = {"gate": ("ffn_input",), "up": ("ffn_input",), "ffn_input": ("gate", "up")}


class Point(NamedTuple):
    """What one unit of a strategy keeps: ``ratio`` of its items in [0, 1]."""

    kind: str
    layer: int
    ratio: float


def transferred(strategy: Json, units: Sequence[Unit], model: Json, sparsity: float | None = None) -> Json:
    """The strategy that another model's becomes on ``model`` and its ``units``, for its own target or ``sparsity``."""
    target = strategy["target_sparsity"] if sparsity is None else sparsity
    points = [
        Point(unit["kind"], int(unit["name"].split(".")[1]), unit["kept"] / unit["size"]) for unit in strategy["units"]
    ]
    kept = transferred_counts(points, units, target)
    found = {
        "algorithm": "transfer",
        "strategy_key": content_key(identity(strategy)),
        "strategy_model": strategy["model"],
        "strategy_algorithm": strategy["found"]["algorithm"],
        "strategy_sparsity": strategy["target_sparsity"],
    }
    granularity, seen = strategy["granularity"], seen_by(strategy)
    return make_strategy(units, kept, target, model, found, strategy.get("seed"), granularity=granularity, seen=seen)


def transferred_counts(points: Sequence[Point], units: Sequence[Unit], sparsity: float) -> list[int]:
    """Items that every unit of another model keeps: its ratios by depth, projected onto the budget within [0, 1]."""
    return projection(wanted_ratios(points, units), units, sparsity, Bounds(0.0, 1.0))


def wanted_ratios(points: Sequence[Point], units: Sequence[Unit]) -> np.ndarray:
    """The ratio that every unit of another model gets, (units,), before any budget: linear between layers by depth.

    Depth is 0 for the first layer, 1 for the last, one half where there is but one. A kind that the strategy lacks is
    the mean of those that stand for it.
    """

    def depths(layers: Sequence[int], count: int) -> np.ndarray:
        return np.array(layers) / (count - 1) if count > 1 else np.array(layers) + 0.5

    kinds = {point.kind for point in points}
    layers, own = (1 + max(one.layer for one in ones) for ones in (points, units))
    wanted = []
    for unit in units:
        sources = (unit.kind,) if unit.kind in kinds else kinds.intersection(STANDS_FOR.get(unit.kind, ()))
        if not sources:
            raise SparsitySolverError(
                f"the strategy has no units of kind {unit.kind}, nor any that stand for it; it has "
                f"{', '.join(sorted(kinds))}."
            )
        curves = [
            sorted((point.layer, point.ratio) for point in points if point.kind == kind) for kind in sorted(sources)
        ]
        depth = depths([unit.layer], own)
        values = [
            np.interp(depth, depths([at for at, _ in curve], layers), [ratio for _, ratio in curve]) for curve in curves
        ]
        wanted.append(float(np.mean(values)))
    return np.array(wanted)
