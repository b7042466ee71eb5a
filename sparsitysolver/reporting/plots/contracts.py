"""Reading and checking the collected results that figures draw: every error names the file, and the cell in it."""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.registry import models_table

CELLS, CURVES, STRATEGIES = "cells", "curves", "strategies"
INFERENCE, RECONSTRUCTION, ANYTIME = "inference", "reconstruction", "anytime"
# What a row is called in messages, as far as it has these; searches of the arena have no method.
_AXES = ("model", "method", "sparsity", "seed")


@dataclass(frozen=True)
class Contract:
    """Columns that figures need of a file of results: texts, finite numbers, and numbers that may be left empty."""

    what: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    optional: tuple[str, ...] = ()


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
        texts=("key", "model", "method", "label", "granularity", "kept"),
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
    """A file of results, checked; the index is the line in the file, numbers are float64 (left empty: NaN).

    A curve's ``ppl`` is infinite where a candidate had no finite perplexity (which is left empty): it earns reward 0.

    Raises:
        SparsitySolverError: no such file, no table, no rows, a missing column, or a cell that holds no finite number.
    """
    contract = CONTRACTS[kind]
    frame = _read(path, contract.what)
    wanted = [*contract.texts, *contract.numbers, *contract.optional, *(["ppl"] if kind == CURVES else [])]
    missing = [column for column in wanted if column not in frame]
    if missing:
        raise SparsitySolverError(
            f"{path}: column '{missing[0]}' is missing; {contract.what} have {', '.join(wanted)}. Make the file anew."
        )
    if frame.empty:
        raise SparsitySolverError(f"{path}: no rows; {contract.what} need at least one to be drawn.")
    texts = frame.copy()
    for column in contract.numbers:
        frame[column] = _numbers(path, texts, column, lambda text, row: False)
    for column in contract.optional:
        frame[column] = _numbers(path, texts, column, lambda text, row: text == "")
    if kind == CURVES:
        diverged = _numbers(path, texts, "ppl", lambda text, row: float(texts.loc[row, "reward"]) == 0)
        frame["ppl"] = diverged.fillna(math.inf)
    return frame


def _read(path: Path, what: str) -> pd.DataFrame:
    """All cells as text, by line."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.reader(handle, strict=True)
            header, lines, rows = next(reader, []), [], []
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise SparsitySolverError(
                        f"{path}, line {reader.line_num}: {len(row)} cells, where the header has {len(header)}."
                    )
                rows.append(row)
                lines.append(reader.line_num)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no {what} at {path}; make it with 'snakemake results/{path.name}'.") from error
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise SparsitySolverError(f"{path} cannot be read as a table of {what}: {error}.") from error
    return pd.DataFrame(rows, index=lines, columns=header, dtype=object)


def _numbers(path: Path, texts: pd.DataFrame, column: str, may_lack: Callable[[str, int], bool]) -> pd.Series:
    """A column as finite numbers; NaN where a cell may lack one."""
    numbers = pd.to_numeric(texts[column], errors="coerce").astype(float)
    numbers = numbers.where(numbers.abs() < math.inf)
    for line in numbers.index[numbers.isna()]:
        text = texts.loc[line, column]
        if not may_lack(text, line):
            shown = f"'{text}'" if text else "empty"
            raise SparsitySolverError(
                f"{path}, line {line} ({row_name(texts, line)}): {column} is {shown}; a finite number is needed."
            )
    return numbers


def row_name(frame: pd.DataFrame, line: int) -> str:
    """What a row is called in messages: its model, method, sparsity and seed."""
    axes = [axis if axis in frame else {"method": "algorithm"}.get(axis, axis) for axis in _AXES]
    parts = [frame.loc[line, axis] for axis in axes if axis in frame]
    return " × ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)


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
