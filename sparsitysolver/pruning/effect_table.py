"""The measured table of a surrogate search as a file, and strategies for any budget from it (no torch)."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from sparsitysolver.pruning.budget import Bounds, projection
from sparsitysolver.pruning.effects import Effect, cheapest
from sparsitysolver.pruning.strategy import make_strategy
from sparsitysolver.pruning.units import Unit, achieved_sparsity, budget, check_sparsity
from sparsitysolver.records.files import Json, read_record
from sparsitysolver.records.seen import seen_by

FORMAT = 1


def make_table(units: Sequence[Unit], kept: Sequence[int], effects: Sequence[Effect], about: Json) -> Json:
    """The record of effects (change of log-perplexity by kept count), seen from the strategy ``kept``.

    ``about`` says which model, granularity and sparsity it was measured for and what it was measured on.
    """
    measured = [
        asdict(unit) | {"kept": count, "counts": list(effect.counts), "changes": list(effect.changes)}
        for unit, count, effect in zip(units, kept, effects, strict=True)
    ]
    return {"format": FORMAT, **about, "units": measured}


def read_table(path: str | Path) -> Json:
    """Read a table that a surrogate search wrote; a broken or other file is a clear error."""
    return read_record(path, "effects")


def units_of(table: Json) -> list[Unit]:
    """The units that a table was measured on."""
    return [Unit(**{field.name: unit[field.name] for field in fields(Unit)}) for unit in table["units"]]


def _effects(table: Json) -> list[Effect]:
    return [Effect(tuple(unit["counts"]), tuple(unit["changes"])) for unit in table["units"]]


def solve(table: Json, sparsity: float) -> list[int]:
    """Kept counts of the lowest summed effect at a sparsity, or an error where the measured counts do not reach it."""
    units = units_of(table)
    kept = cheapest(_effects(table), units, budget(units, check_sparsity(sparsity)))
    # What is left is less than one item of the unit that grew last; items of other units may still fit.
    ratios = np.array(kept) / [unit.size for unit in units]
    return projection(ratios, units, sparsity, Bounds(0.0, 1.0))


def reach(table: Json) -> float:
    """The highest sparsity that the measured counts allow."""
    return achieved_sparsity(units_of(table), [min(unit["counts"]) for unit in table["units"]])


def predicted(table: Json, kept: Sequence[int]) -> float:
    """Summed effect of a strategy: the change of log-perplexity that the table predicts for it."""
    return sum(effect(count) for effect, count in zip(_effects(table), kept, strict=True))


def strategy_of(table: Json, sparsity: float, sha256: str) -> Json:
    """The strategy record of a sparsity, for no further evaluation; ``sha256`` is the table file's."""
    kept = solve(table, sparsity)
    found = {
        "algorithm": "surrogate_table",
        "table_sha256": sha256,
        "measured_at": table["sparsity"],
        **table["measured_on"],
        "criterion": table["criterion"],
        "predicted_change": predicted(table, kept),
        "evaluations": 0,
        "tokens": 0,
    }
    units, granularity, seen = units_of(table), table["granularity"], seen_by(table)
    return make_strategy(units, kept, sparsity, table["model"], found, None, granularity=granularity, seen=seen)
