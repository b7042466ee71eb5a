"""Measured against published: verdicts on values, and claims of order where the published models are not at hand."""

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from sparsitysolver.config.registry import AVERAGE
from sparsitysolver.config.tables import DASH
from sparsitysolver.config.tolerances import tolerance
from sparsitysolver.reporting.compare.comparability import UNEQUAL, unequal
from sparsitysolver.reporting.compare.paired import PairVerdict, PairVerdicts
from sparsitysolver.reporting.compare.protocol import Measurement, other_protocol
from sparsitysolver.reporting.tables.entries import other_tuning, printed
from sparsitysolver.reporting.tables.tables import MeasuredTable


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
    UNEQUAL = UNEQUAL  # not judged; shown with both figures
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


def not_comparable(table: MeasuredTable, row: str, column: str) -> str:
    """Why an entry may not be compared with the published value of its place; empty where it may."""
    entry = table.entries[row, column]
    if entry.value is None:
        return ""
    (found,) = [c for c in table.columns if c.name == column]
    measured = Measurement(
        method=entry.method,
        model=found.model,
        tasks=tuple(table.tasks) if found.task == AVERAGE else (found.task,),
        split=table.definition.split,
        seqlen=entry.seqlen,
        items=entry.items,
        evaluations=entry.evaluations,
        text_sha256=entry.text_sha256,
        tokens=entry.tokens,
    )
    return other_protocol(measured, table.definition.protocol)


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


@dataclass(frozen=True)
class OrderClaim:
    """'A is better than B', as the paper has it in ``support`` of the ``columns`` columns that print both."""

    better: str
    worse: str
    support: int
    columns: int


@dataclass(frozen=True)
class Order:
    """What one column says about a claimed order.

    Attributes:
        verdict: on the rows as the paper has them.
        unequal: both figures, where the rows removed too different amounts for a verdict.
        twins: the rows judged in place of those that have an equal twin, by name; empty where neither has one.
        on_twins: the verdict on these.
        on_twins_unequal: both figures, where these are unequal too.
        texts: words on the texts that the rows were tuned on, where these differ.
    """

    verdict: OrderVerdict
    unequal: str = ""
    twins: tuple[str, ...] = ()
    on_twins: OrderVerdict | None = None
    on_twins_unequal: str = ""
    texts: str = ""

    def __str__(self) -> str:
        """The verdict as a cell of a table, that on the twins after it."""
        own = self.unequal or str(self.verdict)
        if self.on_twins is None:
            return own
        if self.on_twins is self.verdict and not self.unequal:
            return f"{own}, on {' and '.join(self.twins)} too"
        return f"{own}; on {' and '.join(self.twins)}: {self.on_twins_unequal or self.on_twins}"


def order_claims(table: MeasuredTable) -> list[OrderClaim]:
    """For each pair of the paper's rows the order that most of its columns show; none where they are split evenly.

    That the dense model is better than a pruned one is no claim; the reverse would be.
    """
    definition, claims = table.definition, []
    published, dense = definition.published, definition.dense_row
    for first, second in itertools.combinations([row.name for row in definition.measured_rows], 2):
        pairs = [
            (float(published.loc[first, column]), float(published.loc[second, column]))
            for column in definition.published_columns
            if DASH not in (published.loc[first, column], published.loc[second, column])
        ]
        wins = sum(definition.is_better(a, b) for a, b in pairs)
        losses = sum(definition.is_better(b, a) for a, b in pairs)
        if wins > losses:
            claims.append(OrderClaim(first, second, wins, len(pairs)))
        elif losses > wins:
            claims.append(OrderClaim(second, first, losses, len(pairs)))
    return [claim for claim in claims if dense is None or claim.better != dense.name]


def judge_order(claim: OrderClaim, table: MeasuredTable, column: str, pairs: PairVerdicts) -> Order:
    """Whether a column's measured numbers stand in the claimed order, on the rows named and on their equal twins.

    Args:
        claim: which row is claimed to be better than which.
        table: the measured table.
        column: one of its columns, by name.
        pairs: verdicts of paired comparisons; where these have none, printed digits are compared.
    """
    rows = (claim.better, claim.worse)
    twins = [table.definition.twin(row) for row in rows]
    texts = other_tuning(*(table.entries[row, column] for row in rows))
    order = Order(*_judge_rows(*rows, table, column, pairs), texts=texts)
    if not any(twins):
        return order
    judged = [twin.name if twin else row for twin, row in zip(twins, rows, strict=True)]
    verdict, reason = _judge_rows(*judged, table, column, pairs)
    named = tuple(twin.name for twin in twins if twin)
    return replace(order, twins=named, on_twins=verdict, on_twins_unequal=reason)


def _judge_rows(
    better: str, worse: str, table: MeasuredTable, column: str, pairs: PairVerdicts
) -> tuple[OrderVerdict, str]:
    """The verdict on two rows, the interval of their difference considered; both figures where it is unequal."""
    entries = [table.entries[row, column] for row in (better, worse)]
    if None in [entry.value for entry in entries]:
        return OrderVerdict.NOT_RUN, ""
    reason = unequal(*(entry.removed for entry in entries), brief=True)
    if reason:
        return OrderVerdict.UNEQUAL, reason
    paired = _paired_order(better, worse, column, pairs)
    if paired is not None:
        return paired, ""
    one, other = (float(printed(entry.value)) for entry in entries)
    if one == other:
        return OrderVerdict.TIE, ""
    return OrderVerdict.HOLDS if table.definition.is_better(one, other) else OrderVerdict.REVERSED, ""


def _paired_order(better: str, worse: str, column: str, pairs: PairVerdicts) -> OrderVerdict | None:
    """What the paired comparison says, in whichever order it has the rows; None where there is none."""
    claimed_first = (column, better, worse) in pairs
    key = (column, better, worse) if claimed_first else (column, worse, better)
    verdict = pairs.get(key, PairVerdict.NONE)
    if verdict in (PairVerdict.NONE, PairVerdict.UNEQUAL):
        return None
    if verdict is PairVerdict.NOISE:
        return OrderVerdict.INSIDE_NOISE
    return OrderVerdict.HOLDS if (verdict is PairVerdict.FIRST) == claimed_first else OrderVerdict.REVERSED
