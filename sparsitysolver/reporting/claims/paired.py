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
from pydantic import AfterValidator, BeforeValidator, model_validator

from sparsitysolver.config.registry import AVERAGE, PERPLEXITY_METRIC, MethodKey, tasks_table
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.reporting.claims.places import EACH_TASK, Place, definitions, equal_rows, parameters, quality, speed
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.rules import Judgement, Kind, NotJudgedError, TableName, each_once
from sparsitysolver.reporting.compare.comparability import unequal
from sparsitysolver.reporting.compare.verdicts import Comparison, Verdict, all_of, compare, in_unit

OTHERS = "others"  # in place of rivals: the best of the table's other pruned rows
ColumnName = Annotated[str, AfterValidator(lambda name: known("column", name, (AVERAGE, EACH_TASK, *tasks_table())))]
Quantifier = Literal["all", "some", "most"]
Refused = tuple[Verdict, str]  # two rows that may not be compared: the verdict that this is, and why


class Paired(Kind):
    """A method is better than each of its rivals.

    The effect is by how many percent the others' perplexity lies above the better one's, by how many points its
    accuracy is higher, or by how many percent a model is faster or smaller; over several places the mean (of log
    perplexities), with an interval of its own, or the best of them where the claim is about some.

    Parameters that are not explained here are those of the measures, functions of the module on places.
    """

    measures: ClassVar = {
        "quality": quality,
        "parameters": parameters,
        **{phase: partial(speed, phase) for phase in ("prefill", "decode")},
    }
    own: ClassVar = ("quantifier",)
    kind: Literal["paired"] = "paired"
    method: MethodKey  # claimed to be better
    than: Annotated[tuple[MethodKey, ...], BeforeValidator(lambda given: () if given == OTHERS else given)]
    quantifier: Quantifier = "all"  # in how many places it must hold
    table: TableName | None = None
    sparsities: tuple[float, ...] | None = None
    column: ColumnName = AVERAGE
    sparsity: float | None = None

    @model_validator(mode="after")
    def _others_are_of_a_table(self) -> "Paired":
        if not self.than and not self.table:
            raise SparsitySolverError(f"than: {OTHERS} are the other rows of a table; name the table, or the methods.")
        return self

    @property
    def rivals(self) -> list[str]:
        """The methods that it is compared with: those named, or the paper's other pruned rows in the table."""
        if self.than:
            return list(self.than)
        return [row.method for row in definitions()[self.table].compared_rows if row.method != self.method]

    def verdict_on(self, results: Results) -> Judgement:
        """One verdict over all places that a claim may rest on."""
        places, left_out = self.measures[self.measure](results, **self.arguments | {"than": self.rivals})
        columns = [compare_column(place, self.method, self.rivals, best_only=not self.than) for place in places]
        notes = _notes(columns, left_out)
        counted = [column for column in columns if column.counts]
        if not counted:
            verdicts = [verdict for column in columns for verdict, _ in column.blocked]
            if not verdicts:
                raise NotJudgedError(Verdict.NOT_RUN, "; ".join(notes) or "no cells")
            models = each_once(column.place.model for column in columns if column.blocked)
            verdict = Verdict.UNEQUAL if Verdict.UNEQUAL in verdicts else verdicts[0]
            return Judgement(verdict, models=models, note="; ".join(notes))
        if self.quantifier != "all":
            holding = [column.place.name for column in counted if column.verdict is Verdict.HOLDS]
            where = f"holds in {len(holding)} of {len(counted)}"
            notes.insert(0, f"{where}: {', '.join(holding)}" if holding else where)
        shown = _best_column(counted) if self.quantifier == "some" else _pooled(counted)
        return Judgement(
            over_columns([column.comparisons for column in counted], self.quantifier),
            *(shown.effect, shown.low, shown.high),
            unit=counted[0].place.unit,
            n=shown.n,
            models=each_once(column.place.model for column in counted),
            note="; ".join(notes),
            interval=shown.over,
        )


@dataclass
class Compared:
    """What was compared in a place and what was not."""

    place: Place
    lacking: list[str]  # why methods have no number there
    comparisons: list[Comparison] = field(default_factory=list)  # of rows that removed the same
    blocked: list[Refused] = field(default_factory=list)  # rivals that no row which removed the same stands for
    unequal: list[Refused] = field(default_factory=list)  # rivals for which another row stood in
    equals: tuple[str, ...] = ()  # these other rows

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
    sides, measured = place.sides, place.measured((method, *rivals))
    lacking = [f"{place.name}: {key}: {sides[key].reason}" for key in (method, *rivals) if key not in measured]
    if method not in measured:
        return Compared(place, lacking[:1])
    found, allowed = Compared(place, lacking), []
    for rival in (rival for rival in rivals if rival in measured):
        pairs, refused = _pairs(place, method, rival)
        allowed += pairs
        if refused:
            (found.unequal if pairs else found.blocked).append(refused)
    chosen = allowed
    if best_only:
        best = min if place.lower else max
        beside = {own: [rival for other, rival in allowed if other == own] for own, _ in allowed}
        chosen = [(own, best(others, key=lambda key: sides[key].value)) for own, others in beside.items()]
    found.comparisons = [place.compare(*pair) for pair in chosen]
    found.equals = each_once(key for pair in allowed for key in pair if key not in (method, *rivals))
    return found


def _pairs(place: Place, method: str, rival: str) -> tuple[list[tuple[str, str]], Refused | None]:
    """The rows of a method and a rival that may be compared; and why the two themselves may not, if so."""
    sides = place.sides
    if reason := sides[method].stand_in or sides[rival].stand_in:
        return [], (Verdict.NOT_COMPARABLE, f"{place.name}: {reason}")
    rows = product(*(place.measured((key, *equal_rows(key))) for key in (method, rival)))
    allowed = [(own, other) for own, other in rows if not unequal(sides[other].removed, sides[own].removed)]
    reason = unequal(sides[rival].removed, sides[method].removed)
    return allowed, (Verdict.UNEQUAL, f"{place.name}: {rival} and {method}: {reason}") if reason else None


def over_columns(columns: Sequence[Sequence[Comparison]], quantifier: Quantifier) -> Verdict:
    """One verdict over columns; the comparisons of one column (several rivals) must all hold there.

    ``all``: fails where any column fails. ``some``: holds where any does, fails where all fail. ``most``: holds where
    more than half of the columns hold, fails where at least half fail.
    """
    verdicts = [all_of([comparison.verdict for comparison in column]) for column in columns]
    if quantifier == "all":
        return all_of(verdicts)
    holding, failing = verdicts.count(Verdict.HOLDS), verdicts.count(Verdict.FAILS)
    enough, too_many = (1, len(verdicts)) if quantifier == "some" else (len(verdicts) // 2 + 1, len(verdicts) / 2)
    if holding >= enough:
        return Verdict.HOLDS
    return Verdict.FAILS if failing >= too_many else Verdict.NOISE


def _notes(columns: Sequence[Compared], left_out: Sequence[str]) -> list[str]:
    """What was judged in place of what, every pair that was not compared, and what else was left out, in short."""
    equals = each_once(row for column in columns for row in column.equals)
    refused = [reason for of in ("unequal", "blocked") for column in columns for _, reason in getattr(column, of)]
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


def _pooled(columns: Sequence[Compared]) -> Comparison:
    """The mean of all comparisons with its interval; losses are averaged as logarithms, other numbers as they are.

    Rivals and sparsities share windows or items, so these are averaged first: one stratum per model and task, seed by
    seed where all have the same number of them, else of their means.
    """
    metric = columns[0].place.metric
    comparisons = [(column.place.model, comparison) for column in columns for comparison in column.comparisons]
    if len(comparisons) == 1:
        return comparisons[0][1]
    if not all(comparison.strata for _, comparison in comparisons):
        effects = np.array([comparison.effect for _, comparison in comparisons])
        of_logarithms = metric == PERPLEXITY_METRIC
        mean = in_unit(float(np.log1p(effects / 100).mean()), metric) if of_logarithms else float(effects.mean())
        return Comparison(mean, n=len(comparisons))
    shared: dict[str, list[np.ndarray]] = {}
    for model, comparison in comparisons:
        for task, differences in comparison.strata.items():
            shared.setdefault(f"{model} {task}", []).append(differences)
    strata = {}
    for place, of_rivals in shared.items():
        alike = len({len(differences) for differences in of_rivals}) == 1
        strata[place] = np.mean([d if alike else d.mean(axis=0, keepdims=True) for d in of_rivals], axis=0)
    return compare(strata, metric)
