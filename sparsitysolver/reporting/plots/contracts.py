"""What figures need of collected results: every error names the file, and the cell in it."""

import math
from pathlib import Path

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.long_tables import Contract, finite_numbers, read_long

CELLS, CURVES, STRATEGIES = "cells", "curves", "strategies"
INFERENCE, RECONSTRUCTION, ANYTIME = "inference", "reconstruction", "anytime"

_SPEEDS = tuple(f"{phase}_speedup{bound}" for phase in ("prefill", "decode") for bound in ("", "_low", "_high"))
CONTRACTS = {
    CELLS: Contract(
        "collected cells",
        texts=("model", "method", "label", "status", "task", "split", "metric"),
        numbers=("sparsity", "seed"),
        optional=("value", "parameters"),  # empty where a cell was skipped
    ),
    CURVES: Contract(
        "search curves",
        texts=("key", "model", "method", "label", "granularity", "kept", "ppl"),
        numbers=("sparsity", "seed", "episode", "reward"),
        optional=("dense_ppl", "uniform_ppl", "uniform_reward"),
    ),
    STRATEGIES: Contract(
        "strategies",
        texts=("model", "method", "label", "granularity", "kind", "key"),
        numbers=("sparsity", "seed", "unit", "layer", "size", "kept", "ratio"),
    ),
    INFERENCE: Contract(
        "measured times",
        texts=("model", "method", "label", "device", "dtype"),
        numbers=(
            *("sparsity", "seed", "batch", "prompt_tokens", "new_tokens", "threads"),
            *("prefill_seconds", "prefill_tokens_per_second", "decode_seconds", "decode_tokens_per_second"),
            *_SPEEDS,
        ),
        optional=("peak_memory_bytes",),
    ),
    RECONSTRUCTION: Contract(
        "rows of the reconstruction study",
        texts=("model", "modules"),
        numbers=("sparsity", "samples", "ppl", "seconds_per_module", "seed"),
    ),
    ANYTIME: Contract(
        "anytime curves",
        texts=("algorithm", "label", "model", "granularity"),
        numbers=("sparsity", "seed", "share", "tokens"),
        optional=("validation_ppl", "uniform_ppl", "dense_ppl"),
    ),
}


def read_results(path: Path, kind: str) -> pd.DataFrame:
    """A file of results, checked as :func:`~sparsitysolver.reporting.long_tables.read_long` does.

    A curve's ``ppl`` is infinite where a candidate had no finite perplexity (which is left empty): it earns reward 0.

    Raises:
        SparsitySolverError: a broken file, or one without rows.
    """
    contract = CONTRACTS[kind]
    frame = read_long(path, contract)
    if frame.empty:
        raise SparsitySolverError(f"{path}: no rows; {contract.what} need at least one to be drawn.")
    if kind == CURVES:
        diverged = finite_numbers(path, frame, "ppl", may_lack=lambda text, line: frame.loc[line, "reward"] == 0)
        frame["ppl"] = diverged.fillna(math.inf)
    return frame
