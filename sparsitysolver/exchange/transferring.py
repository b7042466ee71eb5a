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
    """The strategy that another model's becomes on ``model``, whose units at its granularity are ``units``.

    ``sparsity`` is the target; by default that of ``strategy``.
    """
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
    """The ratio that every unit of another model gets, (units,), before any budget."""
    layers = 1 + max(point.layer for point in points)
    own = 1 + max(unit.layer for unit in units)
    return np.array([curve_at(points, unit.kind, layers, float(relative_depth(unit.layer, own))) for unit in units])


def curve_at(points: Sequence[Point], kind: str, layers: int, depth: float) -> float:
    """The ratio of a kind (or the mean of those that stand for it) at a relative depth, linear between layers."""
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


def relative_depth(layer: int | np.ndarray, layers: int) -> float | np.ndarray:
    """0 for the first layer, 1 for the last; one half where there is but one."""
    return layer / (layers - 1) if layers > 1 else layer + 0.5
