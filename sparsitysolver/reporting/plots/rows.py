"""Rows of collected results: read, chosen, checked, and taken apart by model, method and seed.

Every error names the file and the row.
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records import columns
from sparsitysolver.reporting.collected.long_tables import no_number, read_long, row_name
from sparsitysolver.reporting.plots.style import Style, method_styles

DENSE = "dense"
SETTING = (
    "batch",
    "prompt_tokens",
    "new_tokens",
    "threads",
    "device",
    "dtype",
)  # of times, the same for all of one model
FILE = "file"  # the attribute of a frame, and of what is chosen from it, that has its file's name


@dataclass(frozen=True)
class Method:
    """A method in a figure: its name and look there, and its rows."""

    key: str
    label: str
    style: Style
    rows: pd.DataFrame


def read_results(path: Path, kind: str) -> pd.DataFrame:
    """A file of one kind of results, checked as :func:`~sparsitysolver.reporting.collected.long_tables.read_long` does.

    A curve's ``ppl`` is infinite where a candidate had no finite perplexity (which is left empty): it earns reward 0.

    Raises:
        SparsitySolverError: a broken file, or one without rows.
    """
    table: columns.LongTable = getattr(columns, kind.upper())
    frame = read_long(path, table)
    frame.attrs[FILE] = path.name
    if frame.empty:
        raise SparsitySolverError(f"{path}: no rows; {table.what} need at least one to be drawn.")
    if table is columns.CURVES:
        for line in frame.index[frame["ppl"].isna() & (frame["reward"] != 0)]:
            raise no_number(path, frame, line, "ppl")
        frame["ppl"] = frame["ppl"].fillna(math.inf)
    return frame


def by_model(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Models and their rows in the order of ``config/models.tsv``; others follow as they come."""
    ranks = {key: rank for rank, key in enumerate(models_table())}
    models = sorted(dict.fromkeys(frame["model"]), key=lambda model: ranks.get(model, len(ranks)))
    return [(model, frame[frame["model"] == model]) for model in models]


def by_method(frame: pd.DataFrame) -> list[Method]:
    """Methods in the order of legends; where two share a printed name, the key is added."""
    names = dict(zip(frame["method"], frame["label"], strict=True))
    counts = Counter(names.values())
    labels = {key: name or key if counts[name] == 1 else f"{name} ({key})" for key, name in names.items()}
    return [
        Method(key, labels[key], style, frame[frame["method"] == key]) for key, style in method_styles(names).items()
    ]


def by_search(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of every search, by seed."""
    return [search for _, search in frame.sort_values("seed", kind="stable").groupby("key", sort=False)]


def over(rows: pd.DataFrame, x: str, value: str, whole: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Places on the x axis (points,), and the values there of every seed (seeds, points), of one line's rows.

    Raises:
        SparsitySolverError: a seed has a place twice, or (if ``whole``) lacks one that another has.
    """
    check_once(rows, *(axis for axis in ("model", "method", "sparsity", "seed", x) if axis in rows))
    table = rows.pivot_table(index="seed", columns=x, values=value, dropna=False)
    for seed, place in np.argwhere(table.isna().to_numpy()) if whole else ():
        first = rows.index[rows["seed"] == table.index[seed]][0]
        raise wrong_row(rows, first, f"this seed has no {x} {table.columns[place]:g}, which another of the line has.")
    return table.columns.to_numpy(), table.to_numpy()


def select(frame: pd.DataFrame, **wanted: float | str) -> pd.DataFrame:
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
            raise SparsitySolverError(f"{frame.attrs[FILE]}: no rows of {asked}; {column} found: {found}.")
        chosen = chosen[same]
    return chosen


def place(frame: pd.DataFrame, line: int) -> str:
    """What a row is called in messages: its line in the file, and what it is a row of."""
    return f"line {line} ({row_name(frame, line)})"


def wrong_row(frame: pd.DataFrame, line: int, problem: str) -> SparsitySolverError:
    """The error that a row cannot be drawn."""
    return SparsitySolverError(f"{frame.attrs[FILE]}, {place(frame, line)}: {problem}")


def refuse(frame: pd.DataFrame, wrong: pd.Series, problem: str) -> None:
    """Refuse a frame with wrong rows: words in braces of ``problem`` are filled in from the first."""
    if wrong.any():
        raise wrong_row(frame, wrong.idxmax(), problem.format_map(frame.loc[wrong.idxmax()]))


def check_once(frame: pd.DataFrame, *axes: str) -> None:
    """Refuse rows of which two agree in all these columns (one mean over both would mean nothing): both are named."""
    again = frame.index[frame.duplicated(list(axes))]
    if len(again):
        first = frame.index[(frame[list(axes)] == frame.loc[again[0], list(axes)]).all(axis=1)][0]
        raise SparsitySolverError(
            f"{frame.attrs[FILE]}: lines {first} and {again[0]} ({row_name(frame, first)}) have the same "
            f"{', '.join(axes)}; each may stand once."
        )


def check_times(frame: pd.DataFrame) -> None:
    """Refuse times that cannot be compared, or that contradict themselves.

    Raises:
        SparsitySolverError: models measured under different conditions or twice, or a speedup outside its interval.
    """
    check_once(frame, "model", "method", "sparsity", "seed")
    for column in SETTING:
        for _, of_model in frame.groupby("model"):
            other = of_model.index[of_model[column] != of_model[column].iloc[0]]
            if len(other):
                lines = (of_model.index[0], other[0])
                found = " and ".join(f"{frame.loc[line, column]} in {place(frame, line)}" for line in lines)
                raise SparsitySolverError(f"{frame.attrs[FILE]}: {column} is {found}; such times cannot be compared.")
    for name in ("prefill_speedup", "decode_speedup"):
        speedup, low, high = (frame[f"{name}{bound}"] for bound in ("", "_low", "_high"))
        found = f"{name} {{{name}:g}} lies outside its interval {{{name}_low:g}} to {{{name}_high:g}}."
        refuse(frame, ~((low > 0) & (low <= speedup) & (speedup <= high)), found)
