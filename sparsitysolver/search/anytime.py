"""What a search held for best after a part of its budget."""

from collections.abc import Sequence

from sparsitysolver.pruning.units import Unit, budget, kept_weights
from sparsitysolver.search.journal import Episode


def anytime(
    curve: Sequence[Episode], units: Sequence[Unit], sparsity: float, marks: Sequence[float]
) -> list[list[int] | None]:
    """The best candidate so far at each mark, a number of tokens spent; None before the first that meets the budget.

    Best is what was scored on most tokens, and among those what earned most: the order that a search chooses by.
    Candidates above the weight budget were scored to learn from them and are no candidates.
    """
    room, spent, best = budget(units, sparsity), 0, None
    found: list[list[int] | None] = []
    rows = iter([*curve, None])
    row = next(rows)
    for mark in marks:
        while row is not None and spent + row.tokens <= mark:
            spent += row.tokens
            if kept_weights(units, row.kept) <= room and (best is None or row.rank > best.rank):
                best = row
            row = next(rows)
        found.append(best.kept if best else None)
    return found
