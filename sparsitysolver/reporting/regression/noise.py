"""How far values move when nothing is meant to change: the numbers behind ``config/regression/tolerances.csv``."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.regression.accepted import AXES, measured_values
from sparsitysolver.reporting.regression.check import kind_of


def noise_command(cells: Sequence[Path]) -> None:
    """``sparsitysolver report noise``: print how far collected cells of several runs of one grid lie apart.

    By metric and kind of cell, median and largest: the relative distance of the same value in two runs (other
    processors, threads, versions), and how many are equal to the last digit in all; the standard deviation over the
    seeds of a run, relative to the mean.
    """
    if len(cells) < 2:
        raise SparsitySolverError(f"{len(cells)} run(s) named; noise shows between two or more of one grid.")
    rows = pd.DataFrame(
        [
            row | {"run": number, "kind": kind_of(row)}
            for number, path in enumerate(cells)
            for row in measured_values(path)[0].values()
        ],
        columns=["run", *AXES, "value", "kind"],
    )
    of_run = ["run", *(axis for axis in AXES if axis != "seed")]
    for title, table in (
        ("Between runs: relative distance of equal cells", _spreads(rows, AXES, _largest_distance, "values", "equal")),
        ("Between seeds of a run: relative standard deviation", _spreads(rows, of_run, _deviation, "cells")),
    ):
        print(f"{title}\n\n{'nothing to compare' if table.empty else markdown(table)}\n")


def _spreads(
    rows: pd.DataFrame, axes: Sequence[str], spread: Callable[[pd.Series], float], *counts: str
) -> pd.DataFrame:
    """The spreads of what was measured more than once: how many, how many zero if asked, and how large."""
    same = [of for _, of in rows.groupby(list(axes)) if len(of) > 1]
    found = pd.DataFrame(
        [(of["metric"].iloc[0], of["kind"].iloc[0], spread(of["value"])) for of in same],
        columns=["metric", "kind", "spread"],
    )
    return pd.DataFrame(
        {"metric": metric, "kind": kind}
        | dict(zip(counts, (str(len(of)), str((of == 0).sum()))))
        | {"median": f"{of.median():.1e}", "largest": f"{of.max():.1e}"}
        for (metric, kind), of in found.groupby(["metric", "kind"])["spread"]
    )


def _largest_distance(values: pd.Series) -> float:
    return max(abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0 for a, b in itertools.combinations(values, 2))


def _deviation(values: pd.Series) -> float:
    return stdev(values) / abs(fmean(values))
