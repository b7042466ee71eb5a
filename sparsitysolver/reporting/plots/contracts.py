"""What figures need of collected results: every error names the file, and the cell in it."""

import math
from pathlib import Path

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records import columns
from sparsitysolver.reporting.collected.long_tables import no_number, read_long

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
    """A file of results, checked as :func:`~sparsitysolver.reporting.collected.long_tables.read_long` does.

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
