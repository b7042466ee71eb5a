"""One column of a table: a method against its rivals, where both may be compared.

Two rows are compared where they removed the same (:mod:`comparability`) and where both are on this grid what they are
called. Where a method has a row that brings it to the sparsity or size asked for (``equal_of`` in a table), that row is
compared too. Dense rows are compared with any: a claim that names them is about what pruning costs.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from sparsitysolver.config.tables import TASKS, Column, Row
from sparsitysolver.reporting.claims.equals import equal_rows
from sparsitysolver.reporting.claims.pairs import Blocked, Compared, Comparison
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.rules import ClaimVerdict, Finding
from sparsitysolver.reporting.compare.comparability import unequal
from sparsitysolver.reporting.compare.intervals import difference_interval
from sparsitysolver.reporting.compare.metrics import lower_is_better
from sparsitysolver.reporting.compare.paired import in_unit, paired_strata
from sparsitysolver.reporting.tables.entries import Entry
from sparsitysolver.reporting.tables.tables import DENSE, MeasuredTable

Place = tuple[MeasuredTable, Column]  # a column of one model's measured table
Pair = tuple[str, str]  # a row of the method and one of the rival


def compare_column(
    results: Results, place: Place, method: str, rivals: Sequence[str], best_only: bool = False
) -> Compared:
    """What a column says of a method against its rivals, all of which were run there.

    Args:
        results: of the grid.
        place: the column.
        method: the method claimed to be better.
        rivals: the methods it is claimed to be better than.
        best_only: compare with the best of the rivals alone.
    """
    model, lacking = place[1].model, [reason for key in rivals if (reason := _lacking(place, key))]
    if own := _lacking(place, method):
        return Compared(model, lacking=(own,))
    allowed: list[Pair] = []
    blocked, unequal_rows = [], []
    for rival in rivals:
        if not _lacking(place, rival):
            pairs, refused = _pairs(results, place, method, rival)
            allowed += pairs
            if refused and pairs:
                unequal_rows.append(refused.reason)
            elif refused:
                blocked.append(refused)
    chosen = _with_best(place, allowed) if best_only else allowed
    return Compared(
        model,
        tuple(_compare(results, place, *pair) for pair in chosen),
        tuple(blocked),
        tuple(unequal_rows),
        tuple(dict.fromkeys(key for pair in allowed for key in pair if key not in (method, *rivals))),
        tuple(lacking),
    )


def _pairs(results: Results, place: Place, method: str, rival: str) -> tuple[list[Pair], Blocked | None]:
    """The rows of a method and a rival that may be compared; and why the two themselves may not, if so."""
    if reason := results.stand_in(method) or results.stand_in(rival):
        return [], Blocked(ClaimVerdict.NOT_COMPARABLE, f"{name_of(place)}: {reason}")
    allowed = [pair for pair in product(_rows(place, method), _rows(place, rival)) if not _difference(place, *pair)]
    reason = _difference(place, method, rival)
    return allowed, Blocked(ClaimVerdict.UNEQUAL, reason) if reason else None


def _rows(place: Place, method: str) -> list[str]:
    """A method and the rows that stand for it, as far as they have a number."""
    found = [(key, entry_of(place, key)) for key in (method, *equal_rows(method))]
    return [key for key, entry in found if entry is not None and entry.value is not None]


def _difference(place: Place, method: str, rival: str) -> str:
    """Why two rows may not be compared, with both figures; empty where they may."""
    if DENSE in (method, rival):
        return ""
    entries = [entry_of(place, key) for key in (rival, method)]
    reason = unequal(*(entry.removed for entry in entries))
    return f"{name_of(place)}: {rival} and {method}: {reason}" if reason else ""


def _with_best(place: Place, pairs: Sequence[Pair]) -> list[Pair]:
    """Of the pairs of each row those with its best rival."""
    best = min if lower_is_better(place[1].metric) else max
    rivals = {own: [rival for other, rival in pairs if other == own] for own, _ in pairs}
    return [(own, best(found, key=lambda key: entry_of(place, key).value)) for own, found in rivals.items()]


def _compare(results: Results, place: Place, better: str, worse: str) -> Comparison:
    """The finding that one row is better than another; both have a number."""
    table, column = place
    smaller = lower_is_better(column.metric)
    first, second = (Row(name=key, method=key) for key in ((worse, better) if smaller else (better, worse)))
    strata = paired_strata(table, column, first, second, results.samples)
    if strata is None:
        one, other = (table.entries[row.name, column.name].value for row in (first, second))
        effect = 100 * (one / other - 1) if smaller else one - other
        return Comparison(Finding(name_of(place), column.model, effect), column.metric, None)
    arrays = list(strata.values())
    mean = float(np.mean([array.mean() for array in arrays]))
    ends = (in_unit(value, column.metric) for value in (mean, *difference_interval(arrays)))
    n = sum(array.shape[1] for array in arrays)
    return Comparison(Finding(name_of(place), column.model, *ends, n), column.metric, strata)


def name_of(place: Place) -> str:
    """What a column is called; columns of tasks do not name their model."""
    table, column = place
    return f"{column.model} {column.name}" if table.definition.layout == TASKS else column.name


def entry_of(place: Place, method: str) -> Entry | None:
    """A method's entry in a column; None where it was not run."""
    table, column = place
    return table.entries.get((method, column.name))


def _lacking(place: Place, method: str) -> str:
    """Why a method that was run has no number in a column; empty where it has."""
    entry = entry_of(place, method)
    return f"{name_of(place)}: {method}: {entry.reason}" if entry.value is None else ""
