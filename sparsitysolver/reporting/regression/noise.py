"""How far values move when nothing is meant to change: the numbers behind ``config/regression/tolerances.csv``."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median, stdev

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.pages.markdown import markdown
from sparsitysolver.reporting.regression.accepted import Key, Values, measured_values
from sparsitysolver.reporting.regression.check import kind_of


def machine_noise(runs: Sequence[Values]) -> pd.DataFrame:
    """Relative distance of the same value in several runs (other processors, threads, versions), by metric and kind.

    Columns: metric, kind, values (found in two runs or more), equal (to the last digit in all of them), median and
    largest relative distance between two runs.
    """
    found: dict[Key, list[Json]] = {}
    for run in runs:
        for key, row in run.items():
            found.setdefault(key, []).append(row)
    distances = {key: _largest_distance([r["value"] for r in rows]) for key, rows in found.items() if len(rows) > 1}
    groups = _grouped({key: (found[key][0], distance) for key, distance in distances.items()})
    return pd.DataFrame(
        {
            "metric": metric,
            "kind": kind,
            "values": str(len(numbers)),
            "equal": str(sum(number == 0 for number in numbers)),
            "median": f"{median(numbers):.1e}",
            "largest": f"{max(numbers):.1e}",
        }
        for (metric, kind), numbers in groups.items()
    )


def seed_noise(runs: Sequence[Values]) -> pd.DataFrame:
    """Standard deviation over seeds, relative to the mean, by metric and kind: median and largest over cells."""
    found: dict[tuple[int, Key], list[Json]] = {}
    for number, run in enumerate(runs):
        for key, row in run.items():
            found.setdefault((number, (*key[:3], *key[4:])), []).append(row)
    spreads = {
        key: (rows[0], stdev(r["value"] for r in rows) / abs(fmean(r["value"] for r in rows)))
        for key, rows in found.items()
        if len(rows) > 1
    }
    return pd.DataFrame(
        {
            "metric": metric,
            "kind": kind,
            "cells": str(len(numbers)),
            "median": f"{median(numbers):.1e}",
            "largest": f"{max(numbers):.1e}",
        }
        for (metric, kind), numbers in _grouped(spreads).items()
    )


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


def _grouped(numbers: dict) -> dict[tuple[str, str], list[float]]:
    groups: dict[tuple[str, str], list[float]] = {}
    for row, number in numbers.values():
        groups.setdefault((row["metric"], kind_of(row)), []).append(number)
    return dict(sorted(groups.items()))


def _largest_distance(values: Sequence[float]) -> float:
    return max(abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0 for a, b in itertools.combinations(values, 2))
