"""Measured values against published ones: what the paper prints, may they be compared, and is one the other?"""

import functools
import itertools
from decimal import Decimal
from typing import NamedTuple

from sparsitysolver.config.paper import tolerance
from sparsitysolver.config.registry import AVERAGE
from sparsitysolver.config.tables import DASH, TASKS, load_definition, tables
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.compare.comparability import other_protocol
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.tables.entries import printed
from sparsitysolver.reporting.tables.measured import sparsity_of
from sparsitysolver.reporting.tables.tables import MeasuredTable


class PublishedValue(NamedTuple):
    """One printed number: its text, its table, and the protocol it was measured under (split, seqlen, items …)."""

    printed: str
    table: str
    protocol: Json


@functools.cache
def published_values() -> dict[tuple[str, str, float, str, str], PublishedValue]:
    """Every number that the paper prints of a method the suite has, averages left out; of several tables the first's.

    By model, method, sparsity, task and metric.
    """
    values = {}
    for definition in map(load_definition, tables()):
        if definition.layout == TASKS:
            models, tasks = [definition.protocol["published_model"]], definition.published_tasks
        else:
            models = list(dict.fromkeys(name.split("@")[0] for name in definition.published_columns))
            tasks = [definition.protocol["task"]]
        columns = [column for column in definition.columns(models, tasks) if column.task != AVERAGE]
        protocol = {"split": definition.split, **definition.protocol}
        for row, column in itertools.product(definition.measured_rows, columns):
            text = definition.published.loc[row.name, column.name]
            if text != DASH:
                axes = (column.model, row.method, sparsity_of(row, column), column.task, column.metric)
                values.setdefault(axes, PublishedValue(text, definition.name, protocol))
    return values


def judge(published: str, measured: float | None, metric: str, method: str) -> Verdict:
    """Whether one cell of a table has the published value.

    Both numbers are compared as printed, two decimals, in exact decimal arithmetic: a reader of the page comes to the
    same verdict, at the edge of the tolerance too. Where the paper prints a dash there is nothing to compare.
    """
    if published == DASH:
        return Verdict.NOT_COMPARABLE
    if measured is None:
        return Verdict.NOT_RUN
    within = tolerance(metric, method).allows(Decimal(published), Decimal(printed(measured)))
    return Verdict.HOLDS if within else Verdict.FAILS


def not_comparable(table: MeasuredTable, row: str, column: str) -> str:
    """Why an entry may not be compared with the published value of its place; empty where it may."""
    entry = table.entries[row, column]
    return other_protocol(entry.measured, table.definition.protocol) if entry.measured else ""


def verdict_of(table: MeasuredTable, row: str, column: str) -> Verdict:
    """Verdict on a published cell by the names of its row and column."""
    if column not in table.columns_of_paper:
        return Verdict.NOT_COMPARABLE
    found = next((r for r in table.definition.rows if r.name == row), None)
    if found is None:
        return Verdict.NOT_RUN
    # How long a search took depends on its chance and on the machine.
    if found.quantity or not_comparable(table, row, column):
        return Verdict.NOT_COMPARABLE
    metric = next(c.metric for c in table.columns if c.name == column)
    return judge(table.definition.published.loc[row, column], table.entries[row, column].value, metric, found.method)
