"""What figures need of collected results, and rows chosen from them: every error names the file, and the cell in it."""

import math
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records import columns
from sparsitysolver.reporting.collected.long_tables import no_number, read_long, row_name

CELLS, CURVES, STRATEGIES = "cells", "curves", "strategies"
INFERENCE, RECONSTRUCTION, ANYTIME = "inference", "reconstruction", "anytime"

CONTRACTS = {
    CELLS: columns.CELLS,
    CURVES: columns.CURVES,
    STRATEGIES: columns.STRATEGIES,
    INFERENCE: columns.INFERENCE,
    RECONSTRUCTION: columns.RECONSTRUCTION,
    ANYTIME: columns.ANYTIME,
}


def read_results(path: Path, kind: str) -> pd.DataFrame:
    """A file of results, checked as :func:`~sparsitysolver.reporting.long_tables.read_long` does.

    A curve's ``ppl`` is infinite where a candidate had no finite perplexity (which is left empty): it earns reward 0.

    Raises:
        SparsitySolverError: a broken file, or one without rows.
    """
    frame = read_long(path, CONTRACTS[kind])
    if frame.empty:
        raise SparsitySolverError(f"{path}: no rows; {CONTRACTS[kind].what} need at least one to be drawn.")
    if kind == CURVES:
        diverged = frame["reward"] == 0
        for line in frame.index[frame["ppl"].isna() & ~diverged]:
            raise no_number(path, frame, line, "ppl")
        frame["ppl"] = frame["ppl"].fillna(math.inf)
    return frame


def select(frame: pd.DataFrame, name: str, **wanted: float | str) -> pd.DataFrame:
    """Rows whose columns have the wanted values, sparsities to nine digits.

    Raises:
        SparsitySolverError: there are none; the message says what was wanted and what there is.
    """
    chosen = frame
    for column, value in wanted.items():
        same = (chosen[column] - value).abs() < 1e-9 if isinstance(value, float) else chosen[column] == value
        if not same.any():
            asked = ", ".join(f"{key} {text}" for key, text in wanted.items())
            found = ", ".join(map(str, dict.fromkeys(chosen[column]))) or "none"
            raise SparsitySolverError(f"{name}: no rows of {asked}; {column} found: {found}.")
        chosen = chosen[same]
    return chosen


def check_once(frame: pd.DataFrame, name: str, *columns: str) -> None:
    """Refuse rows of which two agree in all these columns: one mean over both would mean nothing.

    Raises:
        SparsitySolverError: there are such rows; the message names both lines.
    """
    again = frame.index[frame.duplicated(list(columns))]
    if len(again):
        first = frame.index[(frame[list(columns)] == frame.loc[again[0], list(columns)]).all(axis=1)][0]
        raise SparsitySolverError(
            f"{name}: lines {first} and {again[0]} ({row_name(frame, first)}) have the same {', '.join(columns)}; "
            "each may stand once."
        )


def check_one_run_a_seed(frame: pd.DataFrame, name: str) -> None:
    """Refuse two searches (keys) of one model and method with the same seed: a band is over seeds.

    Raises:
        SparsitySolverError: there are such searches.
    """
    check_once(frame.drop_duplicates("key"), name, "model", "method", "sparsity", "seed")


def models_of(frame: pd.DataFrame) -> list[str]:
    """The models of a frame in the order of ``config/models.tsv``; others follow as they come."""
    ranks = {key: rank for rank, key in enumerate(models_table())}
    return sorted(dict.fromkeys(frame["model"]), key=lambda model: ranks.get(model, len(ranks)))


def labels(frame: pd.DataFrame) -> dict[str, str]:
    """Printed name of every method; where two share one, the key is added."""
    names = dict(zip(frame["method"], frame["label"], strict=True))
    shared = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {key: f"{name} ({key})" if name in shared else name or key for key, name in names.items()}
