"""Published values by the axes of a cell, from the tables that are defined in ``config/tables``."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from sparsitysolver import CONFIG
from sparsitysolver.config.registry import metric_of
from sparsitysolver.config.tables import DASH, TASKS, Definition, load_definition
from sparsitysolver.records.files import Json

Axes = tuple[str, str, float, str, str]  # model, method, sparsity, task, metric


@dataclass(frozen=True)
class PublishedValue:
    """One printed number: its text, its table, and the protocol it was measured under (split, seqlen, items …)."""

    printed: str
    table: str
    protocol: Json


@functools.cache
def published_values() -> dict[Axes, PublishedValue]:
    """Every number that the paper prints of a method the suite has; of several tables the first counts."""
    values: dict[Axes, PublishedValue] = {}
    for path in sorted((CONFIG / "tables").glob("*.yaml")):
        definition = load_definition(path.stem)
        protocol = {"split": definition.split, **definition.protocol}
        for axes, printed in _numbers(definition):
            if printed != DASH:
                values.setdefault(axes, PublishedValue(printed, definition.name, protocol))
    return values


def _numbers(definition: Definition) -> Iterator[tuple[Axes, str]]:
    for row in definition.measured_rows:
        for column in definition.published_tasks or definition.published_columns:
            model, task, sparsity = _place(definition, column)
            axes = (model, row.method, 0.0 if row.method == "dense" else sparsity, task, metric_of(task))
            yield axes, definition.published.loc[row.name, column]


def _place(definition: Definition, column: str) -> tuple[str, str, float]:
    """Model, task and sparsity of a published column: ``opt-125m``, ``llama-7b@0.5``, or a task of the one model."""
    if definition.layout == TASKS:
        return definition.protocol["published_model"], column, definition.sparsities[0]
    model, _, sparsity = column.partition("@")
    return model, definition.protocol["task"], float(sparsity or definition.sparsities[0])
