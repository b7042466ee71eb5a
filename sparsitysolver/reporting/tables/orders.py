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
        pairs = [pair for pair in zip(*(published.loc[row] for row in rows), strict=True) if DASH not in pair]
        wins = sum(definition.is_better(float(one), float(other)) for one, other in pairs)
        losses = sum(definition.is_better(float(other), float(one)) for one, other in pairs)
        better, worse = rows if wins > losses else reversed(rows)
        if wins != losses and better != getattr(definition.dense_row, "name", None):
            claims.append(OrderClaim(better, worse, max(wins, losses), len(pairs)))
    return claims


def judge_order(claim: OrderClaim, table: MeasuredTable, column: str, pairs: PairVerdicts) -> Order:
    """Whether a column's measured numbers stand in the claimed order, on the rows named and on their equal twins.

    The verdicts of paired comparisons decide; where these have none, printed digits do.
    """
    rows = (claim.better, claim.worse)
    order = _judge(*rows, table, column, pairs)
    twins = [table.definition.twin(row) for row in rows]
    if not any(twins):
        return order
    judged = [twin.name if twin else row for twin, row in zip(twins, rows, strict=True)]
    named = tuple(twin.name for twin in twins if twin)
    return replace(order, twins=named, on_twins=_judge(*judged, table, column, pairs))


def _judge(better: str, worse: str, table: MeasuredTable, column: str, pairs: PairVerdicts) -> Order:
    first, second = (table.entries[row, column] for row in (better, worse))
    texts = other_tuning(first, second)
    turned = pairs.get((column, worse, better), Verdict.NOT_RUN).opposite
    verdict = pairs.get((column, better, worse), turned)  # in whichever order the pair has the rows
    if None in (first.value, second.value):
        verdict = Verdict.NOT_RUN
    elif reason := unequal(first.removed, second.removed, brief=True):
        return Order(Verdict.UNEQUAL, reason, texts)
    elif verdict in (Verdict.NOT_RUN, Verdict.UNEQUAL):
        one, other = (float(printed(entry.value)) for entry in (first, second))
        holds = Verdict.HOLDS if table.definition.is_better(one, other) else Verdict.FAILS
        verdict = Verdict.TIE if one == other else holds
    return Order(verdict, ORDER_WORDS[verdict], texts)
