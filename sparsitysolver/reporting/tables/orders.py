"""Claims of order, "A is better than B", where the published models are not at hand: do measured rows bear them out?"""

import itertools
from dataclasses import dataclass, replace

from sparsitysolver.config.tables import DASH
from sparsitysolver.reporting.compare.comparability import unequal
from sparsitysolver.reporting.compare.verdicts import ORDER_WORDS, Verdict
from sparsitysolver.reporting.tables.entries import other_tuning, printed
from sparsitysolver.reporting.tables.pairs import PairVerdicts
from sparsitysolver.reporting.tables.tables import MeasuredTable


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
        verdict: on the two rows.
        text: the verdict as a page prints it; both figures where the rows removed too different amounts.
        texts: words on the texts that the rows were tuned on, where these differ.
        twins: the rows judged in place of those that have an equal twin, by name; empty where neither has one.
        on_twins: what the column says about these.
    """

    verdict: Verdict
    text: str
    texts: str = ""
    twins: tuple[str, ...] = ()
    on_twins: "Order | None" = None

    def __str__(self) -> str:
        """The verdict as a cell of a table, that on the twins after it."""
        if self.on_twins is None:
            return self.text
        names = " and ".join(self.twins)
        if self.on_twins.verdict is self.verdict and self.verdict is not Verdict.UNEQUAL:
            return f"{self.text}, on {names} too"
        return f"{self.text}; on {names}: {self.on_twins}"


def order_claims(table: MeasuredTable) -> list[OrderClaim]:
    """For each pair of the paper's rows the order that most of its columns show; none where they are split evenly.

    That the dense model is better than a pruned one is no claim; the reverse would be.
    """
    definition, claims = table.definition, []
    published = definition.published[definition.published_columns]
    for rows in itertools.combinations([row.name for row in definition.measured_rows], 2):
        printed_by_both = [pair for pair in zip(*(published.loc[row] for row in rows), strict=True) if DASH not in pair]
        pairs = [(float(one), float(other)) for one, other in printed_by_both]
        wins = sum(definition.is_better(one, other) for one, other in pairs)
        losses = sum(definition.is_better(other, one) for one, other in pairs)
        if wins != losses:
            better, worse = rows if wins > losses else reversed(rows)
            claims.append(OrderClaim(better, worse, max(wins, losses), len(pairs)))
    return [claim for claim in claims if claim.better != getattr(definition.dense_row, "name", None)]


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
    order = _judge(*rows, table, column, pairs)
    if not any(twins):
        return order
    judged = [twin.name if twin else row for twin, row in zip(twins, rows, strict=True)]
    named = tuple(twin.name for twin in twins if twin)
    return replace(order, twins=named, on_twins=_judge(*judged, table, column, pairs))


def _judge(better: str, worse: str, table: MeasuredTable, column: str, pairs: PairVerdicts) -> Order:
    """What a column says of two rows, the interval of their difference considered."""
    entries = [table.entries[row, column] for row in (better, worse)]
    reason = unequal(*(entry.removed for entry in entries), brief=True)
    if None in [entry.value for entry in entries]:
        verdict = Verdict.NOT_RUN
    elif reason:
        return Order(Verdict.UNEQUAL, reason, other_tuning(*entries))
    else:
        verdict = _paired(better, worse, column, pairs) or _by_digits(table, *(entry.value for entry in entries))
    return Order(verdict, ORDER_WORDS[verdict], other_tuning(*entries))


def _paired(better: str, worse: str, column: str, pairs: PairVerdicts) -> Verdict | None:
    """What the paired comparison says, in whichever order it has the rows; None where there is none."""
    turned = pairs.get((column, worse, better), Verdict.NOT_RUN).opposite
    verdict = pairs.get((column, better, worse), turned)
    return None if verdict in (Verdict.NOT_RUN, Verdict.UNEQUAL) else verdict


def _by_digits(table: MeasuredTable, *values: float) -> Verdict:
    one, other = (float(printed(value)) for value in values)
    if one == other:
        return Verdict.TIE
    return Verdict.HOLDS if table.definition.is_better(one, other) else Verdict.FAILS
