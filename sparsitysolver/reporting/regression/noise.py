"""How far values move when nothing is meant to change: the numbers behind ``config/regression/tolerances.csv``."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.formats.markdown import markdown
from sparsitysolver.reporting.regression.accepted import Values, measured_values
from sparsitysolver.reporting.regression.check import kind_of


def machine_noise(runs: Sequence[Values]) -> pd.DataFrame:
    """Relative distance of the same value in several runs (other processors, threads, versions), by metric and kind.

    Columns: metric, kind, values (found in two runs or more), equal (to the last digit in all of them), median and
    largest relative distance between two runs.
    """
    found = defaultdict(list)
    for run in runs:
        for key, row in run.items():
            found[key].append(row)
    return _frame(found, _largest_distance, "values", "equal")


def seed_noise(runs: Sequence[Values]) -> pd.DataFrame:
    """Standard deviation over seeds, relative to the mean, by metric and kind: median and largest over cells."""
    found = defaultdict(list)
    for number, run in enumerate(runs):
        for key, row in run.items():
            found[number, key[:3], key[4:]].append(row)
    return _frame(found, lambda values: stdev(values) / abs(fmean(values)), "cells")


def noise_command(cells: Sequence[Path]) -> None:
    """``sparsitysolver report noise``: print both tables for collected cells of several runs of one grid."""
    if len(cells) < 2:
        raise SparsitySolverError(f"{len(cells)} run(s) named; noise shows between two or more of one grid.")
    runs = [measured_values(path)[0] for path in cells]
    for title, table in (
        ("Between runs: relative distance of equal cells", machine_noise(runs)),
        ("Between seeds of a run: relative standard deviation", seed_noise(runs)),
    ):
        print(f"{title}\n\n{'nothing to compare' if table.empty else markdown(table)}\n")


def _frame(
    found: Mapping[Hashable, Sequence[Json]], spread: Callable[[Sequence[float]], float], *counts: str
) -> pd.DataFrame:
    """The spreads of what was measured more than once, by metric and kind: how many, how many zero, and how large."""
    groups = defaultdict(list)
    for rows in found.values():
        if len(rows) > 1:
            groups[rows[0]["metric"], kind_of(rows[0])].append(spread([row["value"] for row in rows]))
    return pd.DataFrame(
        {"metric": metric, "kind": kind}
        | dict(zip(counts, (str(len(numbers)), str(numbers.count(0)))))
        | {"median": f"{median(numbers):.1e}", "largest": f"{max(numbers):.1e}"}
        for (metric, kind), numbers in sorted(groups.items())
    )


def _largest_distance(values: Sequence[float]) -> float:
    return max(abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0 for a, b in itertools.combinations(values, 2))
