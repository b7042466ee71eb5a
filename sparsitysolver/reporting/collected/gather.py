"""Records of searches and measurements to long tables: one mechanism, and what each kind of table is made of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sparsitysolver.records.columns import CURVES, INFERENCE, RECONSTRUCTION, STRATEGIES, LongTable
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.measurements import inference_rows, reconstruction_rows
from sparsitysolver.reporting.collected.rows import refuse_duplicates, write_rows
from sparsitysolver.reporting.collected.searches import curve_rows, strategy_rows


@dataclass(frozen=True)
class Kind:
    """A kind of long table.

    Attributes:
        table: its columns.
        rows: of one record's file.
        order: columns that rows are sorted by; none where they stay in the order of files.
        once: columns of which no two rows may have the same values, since they would be two answers to one question.
        shared: columns of rows that are the same wherever they were found, and stand once.
    """

    table: LongTable
    rows: Callable[[Path], Iterable[Json]]
    order: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


_STRATEGY = ("model", "family", "method", "label", "granularity", "algorithm", "sparsity", "seed", "task")
_SETTING = ("model", "method", "sparsity", "seed", "batch", "prompt_tokens", "new_tokens")
_POINT = ("model", "sparsity", "modules", "seed", "samples")
KINDS = {
    "strategies": Kind(
        STRATEGIES, strategy_rows, order=(*_STRATEGY, "key", "unit"), shared=(*_STRATEGY, "unit", "kept")
    ),
    "curves": Kind(CURVES, curve_rows),
    "inference": Kind(INFERENCE, inference_rows, order=_SETTING, once=_SETTING),
    "reconstruction": Kind(RECONSTRUCTION, reconstruction_rows, order=_POINT, once=_POINT),
}


def gather(kind: str, files: Sequence[Path], out: Path) -> None:
    """Write the rows of all files: the same bytes for the same files in any order.

    Raises:
        SparsitySolverError: a file is no valid record, or two are of the same measurement.
    """
    of = KINDS[kind]
    rows = [row for path in sorted(set(map(Path, files))) for row in of.rows(path)]
    if of.shared:
        found: dict[tuple, Json] = {}
        for row in rows:
            found.setdefault(_values(row, of.shared), row)
        rows = list(found.values())
    if of.order:
        rows.sort(key=lambda row: _values(row, of.order))
    if of.once:
        refuse_duplicates(rows, of.once, kind)
    write_rows(out, of.table.columns, rows)


def _values(row: Json, columns: Sequence[str]) -> tuple:
    return tuple(row[column] for column in columns)


strategies_command, curves_command, inference_command, reconstruction_command = (
    partial(gather, name) for name in KINDS
)
