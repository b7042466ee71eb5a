"""The table of pairs: rows of a measured table against one another, column by column."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import AVERAGE, PERPLEXITY_METRIC
from sparsitysolver.config.tables import DASH, Column, Row
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.samples import Samples, sample_key
from sparsitysolver.reporting.compare.comparability import UNEQUAL, unequal
from sparsitysolver.reporting.compare.verdicts import PAIR_WORDS, Comparison, Verdict, compare, lower_is_better, paired
from sparsitysolver.reporting.tables.entries import Entry, other_tuning, printed
from sparsitysolver.reporting.tables.tables import MeasuredTable

_NAMES = ("column", "first row", "second row")
COLUMNS = (
    *(*_NAMES, "first value", "second value"),
    *("difference", "unit", "low", "high", "n", "verdict", "calibration", "interval"),
)
PairVerdicts = Mapping[tuple[str, str, str], Verdict]  # by (column, first row, second row)
_DECIMALS = 3  # of differences: smaller ones than the values' own digits show


@dataclass(frozen=True)
class Pair:
    """Two rows of one column, the first compared with the second; ``texts`` says where they were tuned on others."""

    column: Column
    first: Row
    second: Row
    comparison: Comparison
    texts: str

    @property
    def verdict(self) -> Verdict:
        """Whether the first row is the better one."""
        above = self.comparison.verdict
        return above.opposite if lower_is_better(self.column.metric) else above


def compare_rows(table: MeasuredTable, samples: Samples) -> list[Pair]:
    """The pairs of a table, column by column.

    All pairs of the paper's rows, each extended row against the last of the paper's, and the rows that stand for others
    at equal sparsity against all of the paper's. The dense model only with rows and in columns where the paper itself
    prints a better value than its: that a pruned model is worse says nothing.

    Raises:
        SparsitySolverError: two rows were measured on different numbers of windows or items.
    """
    definition, pairs = table.definition, []
    rows, dense = definition.compared_rows, definition.dense_row
    twins = [(twin, other) for row in rows if (twin := definition.twin(row.name)) for other in rows if other is not row]
    extended = [(row, rows[-1]) for row in definition.extended if not row.quantity]
    for column in table.columns:
        of_dense = [(dense, row) for row in rows if dense and column.name in definition.better_than_dense(row)]
        every = [*of_dense, *itertools.combinations(rows, 2), *twins, *extended]
        for first, second in {(one.name, other.name): (one, other) for one, other in every}.values():
            comparison = compare_entries(table, column, first.name, second.name, samples)
            texts = other_tuning(*(table.entries[row.name, column.name] for row in (first, second)))
            pairs.append(Pair(column, first, second, comparison, texts))
    return pairs


def compare_entries(table: MeasuredTable, column: Column, first: str, second: str, samples: Samples) -> Comparison:
    """Two rows, by name, in one column; without numbers where a row has none, or no samples.

    The average is compared over all tasks, each a stratum; any other column is its own only stratum. One observation
    alone has no spread, and so no interval.

    Raises:
        SparsitySolverError: two rows, or two seeds, were measured on different numbers of windows or items.
    """
    reason = unequal(*(table.entries[row, column.name].removed for row in (first, second)))
    parts = [column] if column.task != AVERAGE else [c for c in table.columns if c.task != AVERAGE]
    strata = {part.task: _differences(table, part, first, second, samples) for part in parts}
    if any(stratum is None or stratum.shape[1] < 2 for stratum in strata.values()):
        return Comparison(n=0, unequal=reason)
    return compare(strata, column.metric, reason)


def _differences(table: MeasuredTable, column: Column, first: str, second: str, samples: Samples) -> np.ndarray | None:
    """First less second, shape (seeds, windows or items); None where a row lacks its number or its samples."""
    one, other = (_by_seed(table.entries[row, column.name], column.metric, samples) for row in (first, second))
    if one is None or other is None:
        return None
    lengths = [len(next(iter(of.values()))) for of in (one, other)]
    if lengths[0] != lengths[1]:
        raise SparsitySolverError(
            f"{column.name}: {first} was measured on {lengths[0]} windows or items and {second} on "
            f"{lengths[1]}; rows of one column need the same. Evaluate them alike, then collect again."
        )
    return paired(one, other)


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


def pairs_frame(table: MeasuredTable, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Pairs as texts, one line each, columns ``COLUMNS``."""
    lines = []
    for pair in pairs:
        first, second = (table.entries[row.name, pair.column.name] for row in (pair.first, pair.second))
        found = pair.comparison
        difference, low, high = (printed(number, _DECIMALS) for number in (found.effect, found.low, found.high))
        unit = "percent" if pair.column.metric == PERPLEXITY_METRIC else "points"
        texts = pair.texts or " and ".join(sorted(second.tuning.sources)) or DASH
        rows = (pair.column.name, pair.first.name, pair.second.name, printed(first.value), printed(second.value))
        numbers = (difference, unit, low, high, str(found.n) if found.n else DASH)
        lines.append((*rows, *numbers, found.unequal or PAIR_WORDS[pair.verdict], texts, found.over or DASH))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def read_pair_verdicts(path: Path) -> dict[tuple[str, str, str], Verdict]:
    """The verdicts of a written ``NAME.pairs.csv``, whether the first row is the better one.

    Raises:
        SparsitySolverError: no such file, or not a table of pairs.
    """
    verdicts = {word: verdict for verdict, word in PAIR_WORDS.items()}
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        return {
            tuple(names): verdicts[UNEQUAL if word.startswith(UNEQUAL) else word]
            for *names, word in frame[[*_NAMES, "verdict"]].to_numpy()
        }
    except FileNotFoundError as error:
        raise SparsitySolverError(
            f"no pairs at {path}; make the table anew with 'sparsitysolver report table'."
        ) from error
    except (KeyError, ValueError) as error:
        raise SparsitySolverError(f"{path} is not a table of pairs: {error}; make the table anew.") from error
