"""Paired uncertainty: the difference between two rows of one column, over the same windows or items."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import AVERAGE, PERPLEXITY_METRIC
from sparsitysolver.config.tables import DASH, Column, Definition, Row
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.samples import Samples, sample_key
from sparsitysolver.reporting.compare.comparability import UNEQUAL, unequal
from sparsitysolver.reporting.compare.intervals import difference_interval, seeds_of
from sparsitysolver.reporting.compare.metrics import lower_is_better
from sparsitysolver.reporting.tables.entries import Entry, other_tuning, printed
from sparsitysolver.reporting.tables.tables import MeasuredTable

COLUMNS = (
    *("column", "first row", "second row", "first value", "second value"),
    *("difference", "unit", "low", "high", "n", "verdict", "calibration", "interval"),
)
_DECIMALS = 3  # of differences: smaller ones than the values' own digits show


class PairVerdict(StrEnum):
    """Which of two rows is better, by the interval of their difference: A is the first row, B the second."""

    FIRST = "A better"
    SECOND = "B better"
    NOISE = "inside the noise"
    UNEQUAL = UNEQUAL  # written with both figures
    NONE = DASH  # a row without a number or without samples


@dataclass(frozen=True)
class Pair:
    """Two rows of one column. The difference is the first less the second, None where it cannot be taken.

    Perplexity: by how many percent the first is above the second, ``100 (exp(mean(d)) - 1)`` for differences ``d`` of
    the windows' mean losses. Accuracy: in points. ``interval`` says what the interval takes in: windows or items, and
    seeds where there are several. ``unequal`` says why the two may not be compared (their difference says little about
    the methods), ``texts`` that they were tuned on different ones; both are empty where there is nothing to say.
    """

    column: Column
    first: Row
    second: Row
    n: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    unequal: str = ""
    texts: str = ""
    interval: str = ""

    @property
    def verdict(self) -> PairVerdict:
        """The better row, unless their sparsities are unequal or the interval holds zero."""
        if self.unequal:
            return PairVerdict.UNEQUAL
        if self.low is None or self.high is None:
            return PairVerdict.NONE
        if self.low <= 0 <= self.high:
            return PairVerdict.NOISE
        return PairVerdict.FIRST if (self.high < 0) == lower_is_better(self.column.metric) else PairVerdict.SECOND


def compare_rows(table: MeasuredTable, samples: Samples) -> list[Pair]:
    """The pairs of a table, column by column.

    All pairs of the paper's rows, each extended row against the last of the paper's, and the rows that stand for others
    at equal sparsity against all of the paper's. The dense model only with rows and in columns where the paper itself
    prints a better value than its: that a pruned model is worse says nothing.

    Args:
        table: a measured table.
        samples: from :func:`read_samples`.

    Raises:
        SparsitySolverError: two rows were measured on different numbers of windows or items.
    """
    return [
        compare_pair(table, column, first, second, samples)
        for column in table.columns
        for first, second in _pairs_of(table.definition, column)
    ]


def _pairs_of(definition: Definition, column: Column) -> list[tuple[Row, Row]]:
    rows = definition.compared_rows
    dense = [
        (definition.dense_row, row)
        for row in rows
        if definition.dense_row and column.name in definition.better_than_dense(row)
    ]
    twins = [(twin, other) for row in rows if (twin := definition.twin(row.name)) for other in rows if other is not row]
    extended = [(row, rows[-1]) for row in definition.extended if not row.quantity]
    pairs = [*dense, *itertools.combinations(rows, 2), *twins, *extended]
    return list({(first.name, second.name): (first, second) for first, second in pairs}.values())


def compare_pair(table: MeasuredTable, column: Column, first: Row, second: Row, samples: Samples) -> Pair:
    """Two rows of a table in one column; both must have an entry there."""
    one, other = (table.entries[row.name, column.name] for row in (first, second))
    reasons = {"unequal": unequal(one.removed, other.removed), "texts": other_tuning(one, other)}
    by_task = paired_strata(table, column, first, second, samples)
    if by_task is None:
        return Pair(column, first, second, **reasons)
    strata = list(by_task.values())
    numbers = (float(np.mean([stratum.mean() for stratum in strata])), *difference_interval(strata))
    n = sum(stratum.shape[1] for stratum in strata)
    ends = (in_unit(value, column.metric) for value in numbers)
    return Pair(column, first, second, n, *ends, **reasons, interval=interval_over(strata, column.metric))


def paired_strata(
    table: MeasuredTable, column: Column, first: Row, second: Row, samples: Samples
) -> dict[str, np.ndarray] | None:
    """Differences of losses or correctness, first less second, by task: arrays of shape (seeds, windows or items).

    The average is compared over all tasks, each a stratum; any other column is its own only stratum. None where a row
    lacks numbers or samples, or where one observation alone has no spread.

    Raises:
        SparsitySolverError: two rows, or two seeds, were measured on different numbers of windows or items.
    """
    parts = [column] if column.task != AVERAGE else [c for c in table.columns if c.task != AVERAGE]
    strata = {part.task: _differences(table, part, first, second, samples) for part in parts}
    known = all(stratum is not None and stratum.shape[1] > 1 for stratum in strata.values())
    return strata if known else None


def interval_over(strata: Sequence[np.ndarray], metric: str) -> str:
    """What an interval of these differences takes in, in words."""
    observations, seeds = "windows" if metric == PERPLEXITY_METRIC else "items", seeds_of(strata)
    return f"{observations} and {seeds} seeds" if seeds > 1 else f"{observations}, not seeds"


def _differences(table: MeasuredTable, column: Column, first: Row, second: Row, samples: Samples) -> np.ndarray | None:
    """First less second of every seed and window or item, shape (seeds, n); None where a row lacks number or samples.

    Seeds of one index share calibration windows, and so are paired. Rows measured with different seeds are averaged
    over theirs first, which leaves one row of differences.
    """
    one, other = (_by_seed(table.entries[row.name, column.name], column.metric, samples) for row in (first, second))
    if one is None or other is None:
        return None
    lengths = [len(next(iter(of.values()))) for of in (one, other)]
    if lengths[0] != lengths[1]:
        raise SparsitySolverError(
            f"{column.name}: {first.name} was measured on {lengths[0]} windows or items and {second.name} on "
            f"{lengths[1]}; rows of one column need the same. Evaluate them alike, then collect again."
        )
    if one.keys() == other.keys():
        return np.array([one[seed] - other[seed] for seed in sorted(one)])
    return np.mean(list(one.values()), axis=0, keepdims=True) - np.mean(list(other.values()), axis=0, keepdims=True)


def _by_seed(entry: Entry, metric: str, samples: Samples) -> dict[int, np.ndarray] | None:
    """Every window's loss or item's correctness, shape (n,), by seed; None where any of them is not known."""
    of_seeds = [samples.get(sample_key(cell, metric)) for cell in entry.cells]
    if entry.value is None or not of_seeds or any(sample is None for sample in of_seeds):
        return None
    lengths = sorted({len(sample) for sample in of_seeds})
    if len(lengths) > 1:
        raise SparsitySolverError(
            f"cells {', '.join(entry.cells)} stand in one entry and were measured on {lengths} windows or items; "
            "seeds of one entry need the same. Evaluate them alike, then collect again."
        )
    return {seed: sample.astype(np.float64) for seed, sample in zip(entry.by_seed, of_seeds, strict=True)}


def in_unit(difference: float, metric: str) -> float:
    """A difference of losses as percent of perplexity, one of fractions correct as points; both keep the order."""
    return float(100 * np.expm1(difference)) if metric == PERPLEXITY_METRIC else 100 * difference


def pairs_frame(table: MeasuredTable, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Pairs as texts, one line each, columns ``COLUMNS``."""
    lines = [_line(table, pair) for pair in pairs]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _line(table: MeasuredTable, pair: Pair) -> tuple[str, ...]:
    values = [printed(table.entries[row.name, pair.column.name].value) for row in (pair.first, pair.second)]
    difference, low, high = (printed(number, _DECIMALS) for number in (pair.difference, pair.low, pair.high))
    unit = "percent" if pair.column.metric == PERPLEXITY_METRIC else "points"
    rows = (pair.column.name, pair.first.name, pair.second.name)
    verdict = pair.unequal or str(pair.verdict)
    texts = pair.texts or " and ".join(sorted(table.entries[pair.second.name, pair.column.name].tuning.sources)) or DASH
    return (
        *rows,
        *values,
        difference,
        unit,
        low,
        high,
        str(pair.n) if pair.n else DASH,
        verdict,
        texts,
        pair.interval or DASH,
    )


PairVerdicts = Mapping[tuple[str, str, str], PairVerdict]


def read_pair_verdicts(path: Path) -> dict[tuple[str, str, str], PairVerdict]:
    """The verdicts of a written ``NAME.pairs.csv`` by (column, first row, second row).

    Raises:
        SparsitySolverError: no such file, or not a table of pairs.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        return {
            (column, first, second): PairVerdict.UNEQUAL if verdict.startswith(UNEQUAL) else PairVerdict(verdict)
            for column, first, second, verdict in zip(
                *(frame[name] for name in ("column", "first row", "second row", "verdict")), strict=True
            )
        }
    except FileNotFoundError as error:
        raise SparsitySolverError(
            f"no pairs at {path}; make the table anew with 'sparsitysolver report table'."
        ) from error
    except (KeyError, ValueError) as error:
        raise SparsitySolverError(f"{path} is not a table of pairs: {error}; make the table anew.") from error
