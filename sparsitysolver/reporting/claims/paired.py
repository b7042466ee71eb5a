"""Claims that one method is better than others, place by place: cells, tasks, speed, parameters.

Two rows are compared where they removed the same (:mod:`~sparsitysolver.reporting.compare.comparability`) and where
both are on this grid what they are called. Where a method has a row that brings it to the sparsity or size asked for
(``equal_of`` in a table), that row is compared too. Dense rows are compared with any: a claim that names them is about
what pruning costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator

from sparsitysolver.config.registry import AVERAGE, PERPLEXITY_METRIC, MethodKey
from sparsitysolver.reporting.claims.equals import equal_rows, rivals_of
from sparsitysolver.reporting.claims.places import ColumnName, Place, TableName, parameters, quality, speed
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.rules import Judgement, Kind, NotJudgedError, Quantifier, each_once, over_columns
from sparsitysolver.reporting.compare.comparability import unequal
from sparsitysolver.reporting.compare.comparison import Comparison, compare, in_unit
from sparsitysolver.reporting.compare.verdicts import Verdict, all_of

OTHERS = "others"  # in place of rivals: the best of the table's other pruned rows
Blocked = tuple[Verdict, str]  # two rows that may not be compared: the verdict that this is, and why


class Paired(Kind):
    """A method is better than each of its rivals.

    The effect is by how many percent the others' perplexity lies above the better one's, by how many points its
    accuracy is higher, or by how many percent a model is faster or smaller; over several places the mean (of log
    perplexities), with an interval of its own, or the best of them where the claim is about some.

    Attributes:
        measure: ``quality``, ``parameters``, ``prefill`` or ``decode``.
        method: the method claimed to be better.
        than: the methods it is claimed to be better than, or ``others``.
        quantifier: in how many places it must hold.
        table, sparsities, column, sparsity: see the measures.
    """

    measures: ClassVar = {
        "quality": quality,
        "parameters": parameters,
        **{phase: partial(speed, phase) for phase in ("prefill", "decode")},
    }
    own: ClassVar = ("quantifier",)
    kind: Literal["paired"] = "paired"
    method: MethodKey
    than: Annotated[tuple[MethodKey, ...], BeforeValidator(lambda given: () if given == OTHERS else given)]
    quantifier: Quantifier = "all"
    table: TableName | None = None
    sparsities: tuple[float, ...] | None = None
    column: ColumnName = AVERAGE
    sparsity: float | None = None

    @property
    def rivals(self) -> list[str]:
        """The methods that it is compared with."""
        return list(self.than) or rivals_of(self.table, self.method)

    def verdict_on(self, results: Results) -> Judgement:
        """One verdict over all places that a claim may rest on."""
        places, left_out = self.measures[self.measure](results, **self.arguments | {"than": self.rivals})
        columns = [compare_column(place, self.method, self.rivals, best_only=not self.than) for place in places]
        notes = _notes(columns, left_out)
        counted = [column for column in columns if column.counts]
        if not counted:
            return _without_verdict(columns, "; ".join(notes))
        some = self.quantifier == "some"
        shown = _best_column(counted) if some else _pooled(counted)
        return Judgement(
            over_columns([column.comparisons for column in counted], self.quantifier),
            *(shown.effect, shown.low, shown.high),
            unit=counted[0].place.unit,
            n=shown.n,
            models=each_once(column.place.model for column in counted),
            note="; ".join(notes if self.quantifier == "all" else [_where(counted), *notes]),
            interval=shown.over,
        )


@dataclass
class Compared:
    """What was compared in a place and what was not.

    Attributes:
        place: the place.
        comparisons: of rows that removed the same.
        blocked: rivals that no row which removed the same stands for.
        unequal: why rows were left out beside which another stood for them.
        equals: these other rows.
        lacking: why methods have no number there.
    """

    place: Place
    comparisons: list[Comparison] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    equals: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Of all comparisons, one or more."""
        return all_of([comparison.verdict for comparison in self.comparisons])

    @property
    def counts(self) -> bool:
        """Whether a claim may rest on the place: a rival that was not compared may be the better one.

        Where one that was compared is better, the claim fails there whatever the other is.
        """
        return bool(self.comparisons) and (not self.blocked or self.verdict is Verdict.FAILS)


def compare_column(place: Place, method: str, rivals: Sequence[str], best_only: bool) -> Compared:
    """What a place says of a method against its rivals, or against the best of them alone; all were run there."""
    lacking = [key for key in (method, *rivals) if place.sides[key].value is None]
    found = Compared(place, lacking=[f"{place.name}: {key}: {place.sides[key].reason}" for key in lacking])
    if method in lacking:
        return Compared(place, lacking=found.lacking[:1])
    allowed: list[tuple[str, str]] = []
    for rival in [rival for rival in rivals if rival not in lacking]:
        pairs, refused = _pairs(place, method, rival)
        allowed += pairs
        if refused and pairs:
            found.unequal.append(refused[1])
        elif refused:
            found.blocked.append(refused)
    if best_only:
        beside = {own: [rival for other, rival in allowed if other == own] for own, _ in allowed}
        chosen = [(own, place.best(others)) for own, others in beside.items()]
    else:
        chosen = allowed
    found.comparisons.extend(place.compare(*pair) for pair in chosen)
    found.equals.extend(each_once(key for pair in allowed for key in pair if key not in (method, *rivals)))
    return found


def _pairs(place: Place, method: str, rival: str) -> tuple[list[tuple[str, str]], Blocked | None]:
    """The rows of a method and a rival that may be compared; and why the two themselves may not, if so."""
    if reason := place.sides[method].stand_in or place.sides[rival].stand_in:
        return [], (Verdict.NOT_COMPARABLE, f"{place.name}: {reason}")
    allowed = [pair for pair in product(_rows(place, method), _rows(place, rival)) if not _difference(place, *pair)]
    reason = _difference(place, method, rival)
    return allowed, (Verdict.UNEQUAL, f"{place.name}: {rival} and {method}: {reason}") if reason else None


def _rows(place: Place, method: str) -> list[str]:
    """A method and the rows that stand for it, as far as they have a number."""
    return [key for key in (method, *equal_rows(method)) if key in place.sides and place.sides[key].value is not None]


def _difference(place: Place, method: str, rival: str) -> str:
    """Why two rows may not be compared, with both figures; empty where they may."""
    return unequal(place.sides[rival].removed, place.sides[method].removed)


def _without_verdict(columns: Sequence[Compared], note: str) -> Judgement:
    """Nothing that may be compared, or nothing at all."""
    verdicts = [verdict for column in columns for verdict, _ in column.blocked]
    if not verdicts:
        raise NotJudgedError(Verdict.NOT_RUN, note or "no cells")
    models = each_once(column.place.model for column in columns if column.blocked)
    return Judgement(Verdict.UNEQUAL if Verdict.UNEQUAL in verdicts else verdicts[0], models=models, note=note)


def _notes(columns: Sequence[Compared], left_out: Sequence[str]) -> list[str]:
    """What was judged in place of what, every pair that was not compared, and what else was left out, in short."""
    equals = each_once(row for column in columns for row in column.equals)
    refused = [*(reason for column in columns for reason in column.unequal)]
    refused += [reason for column in columns for _, reason in column.blocked]
    lacking = each_once([*left_out, *(reason for column in columns for reason in column.lacking)])
    more = f" and {len(lacking) - 2} more" if len(lacking) > 2 else ""
    return [
        *([f"judged on {', '.join(equals)} too"] if equals else []),
        *([f"not compared: {'; '.join(each_once(refused))}"] if refused else []),
        *([f"not judged: {'; '.join(lacking[:2])}{more}"] if lacking else []),
    ]


def _best_column(columns: Sequence[Compared]) -> Comparison:
    """What a claim about some places rests on: the closest rival in the place where that is farthest."""

    def least(comparison: Comparison) -> float:
        return comparison.effect if comparison.low is None else comparison.low

    return max((min(column.comparisons, key=least) for column in columns), key=least)


def _where(columns: Sequence[Compared]) -> str:
    """In which places a claim about some or most of them holds."""
    holding = [column.place.name for column in columns if column.verdict is Verdict.HOLDS]
    return f"holds in {len(holding)} of {len(columns)}{': ' if holding else ''}{', '.join(holding)}"


def _pooled(columns: Sequence[Compared]) -> Comparison:
    """The mean of all comparisons with its interval; losses are averaged as logarithms, other numbers as they are.

    Rivals and sparsities share windows or items, so these are averaged first: one stratum per model and task.
    """
    comparisons = [comparison for column in columns for comparison in column.comparisons]
    if len(comparisons) == 1:
        return comparisons[0]
    metric = columns[0].place.metric
    if not all(comparison.strata for comparison in comparisons):
        effects = np.array([comparison.effect for comparison in comparisons])
        of_logarithms = metric == PERPLEXITY_METRIC
        mean = in_unit(float(np.log1p(effects / 100).mean()), metric) if of_logarithms else float(effects.mean())
        return Comparison(mean, n=len(comparisons))
    shared: dict[str, list[np.ndarray]] = {}
    for column in columns:
        for comparison in column.comparisons:
            for task, differences in comparison.strata.items():
                shared.setdefault(f"{column.place.model} {task}", []).append(differences)
    return compare({place: _mean_over_rivals(differences) for place, differences in shared.items()}, metric)


def _mean_over_rivals(differences: Sequence[np.ndarray]) -> np.ndarray:
    """Seed by seed where all have the same number of them, else of their means."""
    alike = len({len(of_rival) for of_rival in differences}) == 1
    return np.mean([d if alike else d.mean(axis=0, keepdims=True) for d in differences], axis=0)
