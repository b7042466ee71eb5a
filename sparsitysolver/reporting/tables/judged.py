"""Measured values against published ones: may they be compared, and is one the other?"""

from decimal import Decimal

from sparsitysolver.config.paper import tolerance
from sparsitysolver.config.tables import DASH
from sparsitysolver.reporting.compare.comparability import other_protocol
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.tables.entries import printed
from sparsitysolver.reporting.tables.tables import MeasuredTable


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
    if found.quantity:  # how long a search took depends on its chance and on the machine
        return Verdict.NOT_COMPARABLE
    if not_comparable(table, row, column):
        return Verdict.NOT_COMPARABLE
    metric = next(c.metric for c in table.columns if c.name == column)
    return judge(table.definition.published.loc[row, column], table.entries[row, column].value, metric, found.method)
