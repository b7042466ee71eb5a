"""A strategy of one model as a strategy of another."""

from collections.abc import Sequence

from sparsitysolver.pruning.strategy import make_strategy
from sparsitysolver.pruning.transfer import Point, transferred_counts
from sparsitysolver.pruning.units import Unit
from sparsitysolver.records.files import Json, content_key, identity
from sparsitysolver.records.seen import seen_by


def points_of(strategy: Json) -> list[Point]:
    """Kind, layer and exact ratio of a strategy's units."""
    return [
        Point(unit["kind"], int(unit["name"].split(".")[1]), unit["kept"] / unit["size"]) for unit in strategy["units"]
    ]


def transferred(strategy: Json, units: Sequence[Unit], model: Json, sparsity: float | None = None) -> Json:
    """The strategy that another model's becomes on ``model``.

    Args:
        strategy: the record of another model.
        units: of the model to prune, at the strategy's granularity.
        model: record of that model.
        sparsity: the target; by default that of ``strategy``.
    """
    target = strategy["target_sparsity"] if sparsity is None else sparsity
    kept = transferred_counts(points_of(strategy), units, target)
    found = {
        "algorithm": "transfer",
        "strategy_key": content_key(identity(strategy)),
        "strategy_model": strategy["model"],
        "strategy_algorithm": strategy["found"]["algorithm"],
        "strategy_sparsity": strategy["target_sparsity"],
    }
    granularity, seen = strategy["granularity"], seen_by(strategy)
    return make_strategy(units, kept, target, model, found, strategy.get("seed"), granularity=granularity, seen=seen)
