"""Measured against published: verdicts on values, and claims of order where the published models are not at hand."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sparsitysolver.registry import tasks_table
from sparsitysolver.reporting.definition import DASH
from sparsitysolver.reporting.entries import printed
from sparsitysolver.reporting.metrics import AVERAGE, lower_is_better
from sparsitysolver.reporting.paired import PairVerdict, PairVerdicts
from sparsitysolver.reporting.tables import MeasuredTable
from sparsitysolver.reporting.tolerances import tolerance


class Verdict(StrEnum):
    """What a measured number says about a published one."""

    REPRODUCED = "reproduced"
    DEVIATES = "deviates"
    NOT_COMPARABLE = "not comparable"
    NOT_RUN = "not run"


class OrderVerdict(StrEnum):
    """What two measured numbers say about a published order."""

    HOLDS = "order holds"
    REVERSED = "order reversed"
    INSIDE_NOISE = "inside the noise"
    TIE = "tie"  # equal digits, where no interval says more
    NOT_RUN = "not run"


def judge(published: str, measured: float | None, metric: str, method: str) -> Verdict:
    """Verdict on one cell of a table whose model is the published one.

    Both numbers are compared as printed, two decimals, in exact decimal arithmetic: a reader of the page comes to the
    same verdict, at the edge of the tolerance too. Where the paper prints a dash there is nothing to compare.
    """
    if published == DASH:
        return Verdict.NOT_COMPARABLE
    if measured is None:
        return Verdict.NOT_RUN
    within = tolerance(metric, method).allows(Decimal(published), Decimal(printed(measured)))
    return Verdict.REPRODUCED if within else Verdict.DEVIATES


def other_protocol(table: MeasuredTable, row: str, column: str) -> str:
    """In what the protocol of an entry differs from the published one; empty where it does not."""
    definition, entry = table.definition, table.entries[row, column]
    (found,) = [c for c in table.columns if c.name == column]
    measured = {
        "task": found.task,
        "split": definition.split,
        "seqlen": entry.seqlen,
        "published_model": found.model,
        "items": _share_of_items(table.tasks if found.task == AVERAGE else [found.task], entry.items),
    }
    return ", ".join(
        f"{axis.removeprefix('published_')} {measured.get(axis)} instead of {published}"
        for axis, published in definition.protocol.items()
        if entry.value is not None and measured.get(axis) != published
    )


def _share_of_items(tasks: Sequence[str], items: int | None) -> str:
    """How many of the tasks' items were measured: ``all``, or such as ``800 of 1000``."""
    every = sum(tasks_table()[task].n_items for task in tasks if task in tasks_table())
    return "all" if items == every else f"{items} of {every}"


def verdict_of(table: MeasuredTable, row: str, column: str) -> Verdict:
    """Verdict on a published cell by the names of its row and column."""
    if column not in table.columns_of_paper:
        return Verdict.NOT_COMPARABLE
    found = next((r for r in table.definition.rows if r.name == row), None)
    if found is None:
        return Verdict.NOT_RUN
    if found.quantity:  # how long a search took depends on its chance and on the machine
        return Verdict.NOT_COMPARABLE
    if other_protocol(table, row, column):
        return Verdict.NOT_COMPARABLE
    metric = next(c.metric for c in table.columns if c.name == column)
    return judge(table.definition.published.loc[row, column], table.entries[row, column].value, metric, found.method)


@dataclass(frozen=True)
class OrderClaim:
    """'A is better than B', as the paper has it in ``support`` of the ``columns`` columns that print both."""

    better: str
    worse: str
    support: int
    columns: int


def order_claims(table: MeasuredTable) -> list[OrderClaim]:
    """For each pair of the paper's rows the order that most of its columns show; none where they are split evenly."""
    published, claims = table.definition.published, []
    for first, second in itertools.combinations([row.name for row in table.definition.measured_rows], 2):
        pairs = [
            (float(published.loc[first, column]), float(published.loc[second, column]))
            for column in table.definition.published_columns
            if DASH not in (published.loc[first, column], published.loc[second, column])
        ]
        wins = sum(_better(a, b, table) for a, b in pairs)
        losses = sum(_better(b, a, table) for a, b in pairs)
        if wins > losses:
            claims.append(OrderClaim(first, second, wins, len(pairs)))
        elif losses > wins:
            claims.append(OrderClaim(second, first, losses, len(pairs)))
    return claims


def judge_order(claim: OrderClaim, table: MeasuredTable, column: str, pairs: PairVerdicts) -> OrderVerdict:
    """Whether a column's measured numbers stand in the claimed order, the interval of their difference considered.

    Args:
        claim: which row is claimed to be better than which.
        table: the measured table.
        column: one of its columns, by name.
        pairs: verdicts of paired comparisons; where these have none, printed digits are compared.
    """
    values = [table.entries[row, column].value for row in (claim.better, claim.worse)]
    if None in values:
        return OrderVerdict.NOT_RUN
    paired = _paired_order(claim, column, pairs)
    if paired is not None:
        return paired
    better, worse = (float(printed(value)) for value in values)
    if better == worse:
        return OrderVerdict.TIE
    return OrderVerdict.HOLDS if _better(better, worse, table) else OrderVerdict.REVERSED


def _paired_order(claim: OrderClaim, column: str, pairs: PairVerdicts) -> OrderVerdict | None:
    """What the paired comparison says, in whichever order it has the rows; None where there is none."""
    claimed_first = (column, claim.better, claim.worse) in pairs
    key = (column, claim.better, claim.worse) if claimed_first else (column, claim.worse, claim.better)
    verdict = pairs.get(key, PairVerdict.NONE)
    if verdict is PairVerdict.NONE:
        return None
    if verdict is PairVerdict.NOISE:
        return OrderVerdict.INSIDE_NOISE
    return OrderVerdict.HOLDS if (verdict is PairVerdict.FIRST) == claimed_first else OrderVerdict.REVERSED


def _better(a: float, b: float, table: MeasuredTable) -> bool:
    return a < b if lower_is_better(table.columns[0].metric) else a > b
