"""Protocol fingerprints: what must be equal before two measured numbers may stand in one column or one table."""

from collections.abc import Callable, Sequence
from typing import Any

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json

# Equal across a table (all models of one task and split), by the kind that a fingerprint states. Whether there is a
# BOS, the length of a window, its tokens and their number follow from the model's tokenizer and maximum: they are equal
# within a column, and pages list them by model.
TABLE_RULES = {
    None: ("dataset", "revision", "text_sha256", "join", "dtype"),
    "zero_shot": ("dataset", "revision", "items_sha256", "items", "task_version", "harness", "fewshot", "dtype"),
}


def cell_name(cell: Json, file: str | None = None) -> str:
    """What a cell is called in messages: its axes, and its file where known."""
    axes = f"{cell['model']['name']}, {cell['method']}, {cell['sparsity']:g}, seed {cell['seed']}"
    name = f"{axes}, {cell['task']} {cell['split']}"
    return f"{name} ({file})" if file else name


def check_fingerprints(cells: Sequence[Json], files: Sequence[str] | None = None) -> None:
    """Refuse cells whose numbers may not be read beside one another.

    A column (model, task, split) must share one whole fingerprint and one set of dense weights; all models of a task
    and split must share the text and its joining, or the items, the harness and its task version, and the precision.
    Skipped cells have no fingerprint.

    Args:
        cells: valid cell records.
        files: their files in the same order, for the messages.

    Raises:
        SparsitySolverError: names both cells, the field and both values.
    """
    names = [cell_name(cell, file) for cell, file in zip(cells, files or [None] * len(cells), strict=True)]
    measured = [(cell, name) for cell, name in zip(cells, names, strict=True) if cell["status"] == "ok"]
    for cell, name in measured:
        _require(cell["fingerprint"]["split"], cell["split"], "split", (name, name), "a cell's own axis")
    _compare(measured, _column, lambda cell: cell["fingerprint"], "one column")
    _compare(measured, _column, lambda cell: {"weights_sha256": cell["model"]["weights_sha256"]}, "one column")
    _compare(measured, lambda cell: (cell["task"], cell["split"]), _table_rules, "one table")


def _column(cell: Json) -> tuple[str, str, str]:
    return cell["model"]["name"], cell["task"], cell["split"]


def _table_rules(cell: Json) -> Json:
    fingerprint = cell["fingerprint"]
    return {field: fingerprint.get(field) for field in TABLE_RULES[fingerprint.get("kind")]}


def _compare(
    measured: list[tuple[Json, str]],
    group: Callable[[Json], tuple[str, ...]],
    fields: Callable[[Json], Json],
    scope: str,
) -> None:
    """Compare every cell with the first of its group, field by field."""
    first: dict[tuple[str, ...], tuple[Json, str]] = {}
    for cell, name in measured:
        reference, reference_name = first.setdefault(group(cell), (cell, name))
        expected, found = fields(reference), fields(cell)
        for field in sorted(expected.keys() | found.keys()):
            _require(expected.get(field), found.get(field), field, (reference_name, name), scope)


def _require(expected: Any, found: Any, field: str, names: tuple[str, str], scope: str) -> None:
    if expected != found:
        raise SparsitySolverError(
            f"cells of {scope} must share their protocol, and '{field}' differs: {expected!r} in {names[0]}; "
            f"{found!r} in {names[1]}. Evaluate both the same way, or leave one out."
        )
