"""What collected cells must be: whole, each once, as measured, and of one protocol where they stand side by side.

A file edited by hand, cut off, or put together from two runs is refused with the cell named: no table is made of it.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CELLS, MEASURED, NUMBER, PROTOCOL
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.samples import Samples, sample_key

NAME = "{model}, {method}, {sparsity}, seed {seed}, {task} {split}"  # of a cell, in messages
_COLUMN = ("model", "task", "split")
_STATUS = ("ok", "skipped")
# Losses of windows are kept to eight decimals: the perplexity they give lies within 1e-8 of the recorded one.
_RELATIVE_TOLERANCE = 1e-6
# Equal across a table (all models of one task and split), by the kind that a fingerprint states. Whether there is a
# BOS, the length of a window, its tokens and their number follow from the model's tokenizer and maximum: they are equal
# within a column, and pages list them by model.
_TABLE_RULES = {
    None: ("dataset", "revision", "text_sha256", "join", "dtype"),
    "zero_shot": ("dataset", "revision", "items_sha256", "items", "task_version", "harness", "fewshot", "dtype"),
}
# Versions of these may move a number; they are no part of a key, since an update must not evaluate everything anew.
_COMPUTING = ("torch", "transformers", "tokenizers", "lm-eval", "stable-baselines3")


def cell_name(cell: Json, file: str | Path = "") -> str:
    """What a cell's record is called in messages: its axes, and its file where known."""
    name = NAME.format(**cell | {"model": cell["model"]["name"], "sparsity": f"{cell['sparsity']:g}"})
    return f"{name} ({file})" if file else name


def check_fingerprints(cells: Sequence[Json], names: Sequence[str] = ()) -> None:
    """Refuse cells whose numbers may not be read beside one another; skipped ones have none.

    A column (model, task, split) must share one whole fingerprint and one set of dense weights; all models of a task
    and split must share the text and its joining, or the items, the harness and its task version, and the precision.

    Raises:
        SparsitySolverError: names both cells (by ``names``, else by their axes), the field and both values.
    """
    names = names or [cell_name(cell) for cell in cells]
    measured = [(cell, name) for cell, name in zip(cells, names, strict=True) if cell["status"] == "ok"]
    for cell, name in measured:
        _same({"split": cell["fingerprint"]["split"]}, {"split": cell["split"]}, (name, name), "a cell's own axis")
    scopes: list[tuple[str, tuple[str, ...], Callable[[Json], Json]]] = [
        ("one column", _COLUMN, lambda cell: cell["fingerprint"]),
        ("one column", _COLUMN, lambda cell: {"weights_sha256": cell["model"]["weights_sha256"]}),
        ("one table", _COLUMN[1:], _table_rules),
    ]
    for scope, axes, fields in scopes:
        first: dict[tuple[str, ...], tuple[Json, str]] = {}
        for cell, name in measured:
            group = tuple(cell["model"]["name"] if axis == "model" else cell[axis] for axis in axes)
            expected, reference = first.setdefault(group, (fields(cell), name))
            _same(expected, fields(cell), (reference, name), scope)


def _table_rules(cell: Json) -> Json:
    fingerprint = cell["fingerprint"]
    return {field: fingerprint.get(field) for field in _TABLE_RULES[fingerprint.get("kind")]}


def _same(expected: Json, found: Json, names: tuple[str, str], scope: str) -> None:
    for field in sorted(expected.keys() | found.keys()):
        one, other = expected.get(field), found.get(field)
        if one != other:
            raise SparsitySolverError(
                f"cells of {scope} must share their protocol, and '{field}' differs: {one!r} in {names[0]}; "
                f"{other!r} in {names[1]}. Evaluate both the same way, or leave one out."
            )


def check_rows(texts: pd.DataFrame, path: Path) -> None:
    """Refuse a table of cells, all text, that is not as ``collect`` wrote it to ``path``.

    Raises:
        SparsitySolverError: a row is cut off or stands twice, has an unknown status, lacks a number, or rows of one
            column or table were measured under different protocols; the message names the cell.
    """
    rows = texts.to_dict("records")
    for row, twice in zip(rows, texts.duplicated(["cell", "metric"]), strict=True):
        problem = f"metric '{row['metric']}' stands twice" if twice else _problem(row)
        if problem:
            raise _broken(row, problem, path)
    check_fingerprints([_as_cell(row) for row in rows], [_name(row, path) for row in rows])


def _problem(row: Json) -> str:
    measured = row["status"] == "ok"
    if not row["cell"]:  # the last column
        return "the row is cut off"
    if row["status"] not in _STATUS:
        return f"unknown status '{row['status']}'"
    if measured != bool(row["metric"]):
        return f"status '{row['status']}' and metric '{row['metric']}' do not go together"
    for column in CELLS.numbers:
        needed = CELLS.columns[column] == NUMBER or (measured and column in MEASURED)
        if not _is_finite(row[column]) and (row[column] or needed):
            return f"{column} is '{row[column]}', and a finite number is needed"
    return ""


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _name(row: Json, path: Path) -> str:
    return f"{NAME.format(**row)} (cell {row['cell']} in {path})"


def _broken(row: Json, what: str, path: Path) -> SparsitySolverError:
    return SparsitySolverError(f"{_name(row, path)}: {what}. Collect again.")


def _as_cell(row: Json) -> Json:
    """As much of a cell's record as the comparison of protocols reads."""
    kind = {"kind": "zero_shot"} if row["items_sha256"] else {}
    return {
        "model": {"name": row["model"], "weights_sha256": row["weights_sha256"]},
        "fingerprint": {name: row[name] for name in (*PROTOCOL, "split", "fingerprint")} | kind,
        **{name: row[name] for name in ("task", "split", "status")},
    }


def check_samples(cells: pd.DataFrame, samples: Samples, path: Path) -> None:
    """Refuse samples that are not those of the cells collected in ``path``: of none of them, missing, another value.

    A column (model, task, split) without any samples passes: tables are made of values, samples say how sure they are.

    Raises:
        SparsitySolverError: names the cell.
    """
    measured = cells[cells["status"] == "ok"].to_dict("records")
    rows = {sample_key(row["cell"], row["metric"]): row for row in measured}
    for key in samples:
        if key not in rows:
            raise SparsitySolverError(
                f"{path} lacks cell {key.replace('/', ', metric ')}, which has samples beside it; collect again."
            )
    sampled = {tuple(rows[key][axis] for axis in _COLUMN) for key in samples}
    for key, row in rows.items():
        if tuple(row[axis] for axis in _COLUMN) not in sampled:
            continue
        metric = row["metric"]
        if key not in samples:
            raise _broken(row, f"no samples of '{metric}', which other cells of its column have", path)
        mean, count = float(np.mean(samples[key])), len(samples[key])
        value = float(np.exp(mean)) if metric == PERPLEXITY_METRIC else mean
        if count != row["n"] or not math.isclose(value, row["value"], rel_tol=_RELATIVE_TOLERANCE):
            found = f"{row['value']:g} over {row['n']:g} windows or items, and its samples give {value:g} over {count}"
            raise _broken(row, f"{metric} is {found}", path)


def differing_versions(versions: Iterable[str]) -> str:
    """What cells differ in, as ``torch 2.12.0 (3 cells) and 2.13.0 (40 cells)``; empty where they do not.

    The versions of every cell are those of ``cells.csv``: ``name version; name version; …``.
    """
    cells = [dict(part.rsplit(" ", 1) for part in of_cell.split("; ") if " " in part) for of_cell in versions]
    told = []
    for name in _COMPUTING:
        counts = Counter(found.get(name, "unrecorded") for found in cells)
        if len(counts) > 1:
            each = (f"{version} ({count} cell{'s' if count > 1 else ''})" for version, count in sorted(counts.items()))
            told.append(f"{name} {' and '.join(each)}")
    return "; ".join(told)
