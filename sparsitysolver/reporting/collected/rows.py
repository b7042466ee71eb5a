"""Records to long tables: which numbers a record holds, and rows written as CSV (no torch)."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json, atomic_path, read_record


def numbers(value: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a JSON value with its place; Python's JSON reader accepts NaN and overflows to infinity."""
    if isinstance(value, float):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, f"{where}/{key}" if where else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from numbers(item, f"{where}/{index}")


def read_finite(path: Path, kind: str) -> Json:
    """A record that is valid by its contract and holds finite numbers only, or an error that names the file."""
    record = read_record(path, kind)
    for where, value in numbers(record):
        if not math.isfinite(value):
            raise SparsitySolverError(f"{path}: {where} is {value}; a record of {kind} holds finite numbers only.")
    return record


def write_rows(path: Path, columns: Iterable[str], rows: Iterable[Json]) -> None:
    """Write rows under ``columns``, whole or not at all; what a row lacks stays empty."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def refuse_duplicates(rows: Sequence[Json], axes: Sequence[str], what: str) -> None:
    """Refuse two rows with the same axes: they would be two answers to one question."""
    seen = set()
    for row in rows:
        key = tuple(row[axis] for axis in axes)
        if key in seen:
            named = ", ".join(f"{axis} {row[axis]}" for axis in axes)
            raise SparsitySolverError(f"two measurements of {what}: {named}. Name one record of each.")
        seen.add(key)
