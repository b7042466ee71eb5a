"""What every seed says of the difference between two rows, window by window or item by item."""

from collections.abc import Mapping, Sequence

import numpy as np

from sparsitysolver.reporting.definition import Column, Row
from sparsitysolver.reporting.entries import Entry
from sparsitysolver.reporting.intervals import seeds_of
from sparsitysolver.reporting.metrics import AVERAGE, PERPLEXITY_METRIC
from sparsitysolver.reporting.paired import paired_strata
from sparsitysolver.reporting.samples import Samples, sample_key
from sparsitysolver.reporting.tables import MeasuredTable

Seeds = Mapping[str, int]  # of cells, by content key


def seed_strata(
    table: MeasuredTable, column: Column, first: Row, second: Row, samples: Samples, seeds: Seeds
) -> dict[str, np.ndarray] | None:
    """Differences of losses or correctness, first less second, by task: arrays of shape (seeds, windows or items).

    Seeds are paired: those of one index share calibration windows. Rows measured with different seeds are averaged over
    theirs first, which leaves one row of differences. None where a row lacks numbers or samples, or where one
    observation alone has no spread.

    Raises:
        SparsitySolverError: see :func:`paired_strata`.
    """
    if paired_strata(table, column, first, second, samples) is None:
        return None
    parts = [column] if column.task != AVERAGE else [c for c in table.columns if c.task != AVERAGE]
    return {part.task: _differences(table, part, first, second, samples, seeds) for part in parts}


def _differences(
    table: MeasuredTable, column: Column, first: Row, second: Row, samples: Samples, seeds: Seeds
) -> np.ndarray:
    one, other = (
        _by_seed(table.entries[row.name, column.name], column.metric, samples, seeds) for row in (first, second)
    )
    if one.keys() == other.keys():
        return np.array([one[seed] - other[seed] for seed in sorted(one)])
    return np.mean(list(one.values()), axis=0, keepdims=True) - np.mean(list(other.values()), axis=0, keepdims=True)


def _by_seed(entry: Entry, metric: str, samples: Samples, seeds: Seeds) -> dict[int, np.ndarray]:
    return {seeds[cell]: samples[sample_key(cell, metric)].astype(np.float64) for cell in entry.cells}


def interval_over(strata: Sequence[np.ndarray], metric: str) -> str:
    """What an interval of these differences takes in, in words."""
    observations, seeds = "windows" if metric == PERPLEXITY_METRIC else "items", seeds_of(strata)
    return f"{observations} and {seeds} seeds" if seeds > 1 else f"{observations}, not seeds"
