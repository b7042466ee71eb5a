"""Rows of tables that are read from the curves of searches: episodes needed, time of an episode (paper, table 6)."""

import statistics
from collections.abc import Callable

import pandas as pd

from sparsitysolver.config.tables import Column, Row
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.episodes import episode_seconds, episodes_to
from sparsitysolver.reporting.tables.entries import DECIMALS, Entry

# Name -> (what a curve gives, decimals printed).
QUANTITIES: dict[str, tuple[Callable[[pd.DataFrame], float | None], int]] = {
    "episodes_needed": (lambda curve: episodes_to(curve["ppl"].tolist()), 0),
    "episodes": (len, 0),
    "episode_seconds": (lambda curve: episode_seconds(curve["seconds"].tolist()), DECIMALS),
}
_SPARSITY_TOLERANCE = 1e-9


def quantity_entry(row: Row, column: Column, curves: pd.DataFrame, where: str) -> Entry:
    """The mean over seeds of a quantity of a method's searches.

    Args:
        row: the row; its own ``sparsity`` where its search has another than the column.
        column: the column.
        curves: ``curves.csv``, read.
        where: what the entry is called in messages.

    Raises:
        SparsitySolverError: the curves hold no such search.
    """
    of_curve, decimals = QUANTITIES[row.quantity]
    sparsity = column.sparsity if row.sparsity is None else row.sparsity
    chosen = curves[
        (curves["model"] == column.model)
        & (curves["method"] == row.method)
        & ((curves["sparsity"] - sparsity).abs() < _SPARSITY_TOLERANCE)
    ]
    if chosen.empty:
        raise SparsitySolverError(f"{where}: no search of {row.method} at sparsity {sparsity:g} among the curves.")
    by_seed = {int(seed): of_curve(curve.sort_values("episode")) for seed, curve in chosen.groupby("seed")}
    values = [float(value) for value in by_seed.values() if value is not None]
    if len(values) < len(by_seed):
        return Entry(None, reason="a search found no finite perplexity")
    return Entry(
        value=statistics.fmean(values),
        sd=statistics.stdev(values) if len(values) > 1 else None,
        by_seed={seed: float(value) for seed, value in by_seed.items()},
        decimals=decimals,
    )
