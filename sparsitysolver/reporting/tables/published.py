"""Published values by the axes of a cell, from the tables that are defined in ``config/tables``."""

import functools
import itertools
from typing import NamedTuple

from sparsitysolver.config.tables import DASH, TASKS, Column, Definition, load_definition, tables
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.tables.measured import sparsity_of

Axes = tuple[str, str, float, str, str]  # model, method, sparsity, task, metric


class PublishedValue(NamedTuple):
    """One printed number: its text, its table, and the protocol it was measured under (split, seqlen, items …)."""

    printed: str
    table: str
    protocol: Json


@functools.cache
def published_values() -> dict[Axes, PublishedValue]:
    """Every number that the paper prints of a method the suite has; of several tables the first counts."""
    values: dict[Axes, PublishedValue] = {}
    for definition in map(load_definition, tables()):
        protocol = {"split": definition.split, **definition.protocol}
        for row, column in itertools.product(definition.measured_rows, _columns(definition)):
            printed = definition.published.loc[row.name, column.name]
            if printed != DASH:
                axes = (column.model, row.method, sparsity_of(row, column), column.task, column.metric)
                values.setdefault(axes, PublishedValue(printed, definition.name, protocol))
    return values


def _columns(definition: Definition) -> list[Column]:
    """The paper's own columns, less its average over tasks."""
    models = dict.fromkeys(name.split("@")[0] for name in definition.published_columns)
    if definition.layout == TASKS:
        return definition.columns([definition.protocol["published_model"]], definition.published_tasks)[:-1]
    return definition.columns(list(models), [definition.protocol["task"]])
