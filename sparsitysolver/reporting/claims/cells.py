"""Claims about evaluated cells: which method is better, which is best, which model is smaller."""

import functools
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from sparsitysolver.config.registry import AVERAGE, is_zero_shot, tasks_table
from sparsitysolver.config.tables import TASKS, ZERO_SHOT, Column, Row, load_definition
from sparsitysolver.reporting.claims.columns import Place, compare_column, entry_of, name_of
from sparsitysolver.reporting.claims.equals import with_equals
from sparsitysolver.reporting.claims.pairs import judge, models_of, summary
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.rules import (
    Finding,
    Judgement,
    Quantifier,
    not_run,
    numbers_within,
    over_columns,
)
from sparsitysolver.reporting.tables.tables import DENSE, MeasuredTable, measured_entries, tasks_of

EACH_TASK = "tasks"  # every task column of a table over tasks, without the average


def better(
    results: Results,
    *,
    table: str,
    better: str,
    worse: list[str],
    sparsities: list[float] | None = None,
    column: str = AVERAGE,
    quantifier: Quantifier = "all",
) -> Judgement:
    """A method is better than each of some others, in the columns of a table.

    A model is judged where all of the methods were run in all of these columns; where a method does not support a
    column, it is left out there. Rows that removed different amounts are not compared (see :mod:`claims_columns`).

    The effect is by how many percent the others' perplexity lies above the better one's, or by how many points its
    accuracy is higher; over several columns the mean (of log perplexities), with an interval of its own, or the best of
    them where the claim is about some.

    Args:
        results: of the models to judge.
        table: its columns are those of the grid: models, models and sparsities, or tasks.
        better: the method claimed to be better.
        worse: the methods it is claimed to be better than.
        sparsities: instead of the table's.
        column: where columns are tasks: ``average``, ``tasks`` (each for itself) or one of the paper's tasks, which
            stands for the grid's task of that kind.
        quantifier: in how many columns it must hold.
    """
    places, left_out = _places(results, table, [better, *worse], sparsities, column)
    return judge([compare_column(results, place, better, worse) for place in places], quantifier, left_out)


def best_of(
    results: Results,
    *,
    table: str,
    method: str,
    sparsities: list[float] | None = None,
    column: str = AVERAGE,
    quantifier: Quantifier = "all",
) -> Judgement:
    """A method is the best of a table's pruned rows: better than the best of the others, column by column.

    Arguments, effect and what is left out as in :func:`better`.
    """
    rivals = rivals_of(table, method)
    places, left_out = _places(results, table, [method, *rivals], sparsities, column)
    compared = [compare_column(results, place, method, rivals, best_only=True) for place in places]
    return judge(compared, quantifier, left_out)


@functools.cache
def rivals_of(table: str, method: str) -> list[str]:
    """The pruned rows that the paper has in a table beside a method."""
    return [row.method for row in load_definition(table).measured_rows if row.method not in (DENSE, method)]


def fewer_parameters(
    results: Results, *, table: str, method: str, than: str, sparsities: list[float] | None = None
) -> Judgement:
    """A method leaves fewer parameters than another; the effect is by how many percent fewer.

    Parameters are counted, so there is no interval. What was removed may differ: this is what the claim is about.
    Arguments as in :func:`better`.
    """
    findings = []
    places, left_out = _places(results, table, [method, than], sparsities, EACH_TASK)
    for place in places:
        own, other = (entry_of(place, key) for key in (method, than))
        reasons = [f"{key}: {entry.reason}" for key, entry in ((method, own), (than, other)) if entry.value is None]
        if reasons:
            left_out.append(f"{name_of(place)}: {'; '.join(reasons)}")
        else:
            findings.append(Finding(name_of(place), place[1].model, 100 * (1 - own.parameters / other.parameters)))
    if not findings:
        return not_run(summary(left_out) or "no cells")
    effect = float(np.mean([finding.effect for finding in findings]))
    verdict = over_columns(findings, "all")
    note = summary(left_out)
    return Judgement(verdict, effect, unit="% fewer", n=len(findings), models=models_of(findings), note=note)


def cells_in_range(
    results: Results,
    *,
    quantity: Literal["parameters", "extra_parameters", "achieved_sparsity"],
    table: str,
    method: str,
    low: float | None = None,
    high: float | None = None,
) -> Judgement:
    """A quantity of a method's models, in the columns of a table, lies in an allowed range, its ends included."""
    values = []
    for measured in tables_of_models(results, table, [method]):
        keys = {cell for entry in measured.entries.values() if entry.value is not None for cell in entry.cells}
        cells = results.cells[results.cells["cell"].isin(keys)].drop_duplicates("cell")
        values += list(zip(cells["model"], map(float, cells[quantity]), strict=True))
    return numbers_within(values, low, high, quantity.replace("_", " ")) if values else not_run(f"no cells of {method}")


def tables_of_models(
    results: Results, table: str, methods: Sequence[str], sparsities: Sequence[float] | None = None
) -> Iterator[MeasuredTable]:
    """The rows of some methods (under their keys) in a table's columns, model by model, as far as cells are there.

    Models without any cell of these are passed over.
    """
    if results.cells is None:
        return
    definition = load_definition(table)
    if sparsities is not None:
        definition = definition.model_copy(update={"sparsities": tuple(sparsities)})
    if len(definition.sparsities) > 1:
        definition = definition.model_copy(update={"layout": "models@sparsity"})
    cells = results.cells[results.cells["split"] == definition.split]
    of_kind = cells["task"].isin([task for task in tasks_table() if is_zero_shot(task)]) == (
        definition.task == ZERO_SHOT
    )
    held = cells[of_kind & (cells["status"] == "ok")]
    measured = set(held["model"])
    for model in [model for model in results.models if model in measured]:
        columns = tuple(definition.columns([model], tasks_of(definition, held, [model])))
        rows = [Row(name=key, method=key) for key in dict.fromkeys(methods)]
        entries, _ = measured_entries(cells, rows, columns, definition.split)
        if entries:
            yield MeasuredTable(definition, columns, entries)


def _places(
    results: Results, table: str, methods: Sequence[str], sparsities: Sequence[float] | None, column: str
) -> tuple[list[Place], list[str]]:
    """The columns asked for of every model's table, and why a model is left out: a method was not run in one of them.

    A claim on several sparsities or rivals must not be borne out by those that happen to be there.
    """
    complete, left_out = [], []
    for measured in tables_of_models(results, table, with_equals(methods), sparsities):
        of_tasks = measured.definition.layout == TASKS
        places = [(measured, found) for found in measured.columns if not of_tasks or _is_column(found, column)]
        absent = [(place, key) for place in places for key in methods if entry_of(place, key) is None]
        if absent:
            place, key = absent[0]
            left_out.append(f"{name_of(place)}: {key} was not run")
        else:
            complete += places
    return complete, left_out


def _is_column(found: Column, asked: str) -> bool:
    """Whether a task column is the one asked for: a grid's own tasks stand for the paper's of the same kind."""
    if asked in (AVERAGE, EACH_TASK) or found.task == AVERAGE:
        return (found.task == AVERAGE) == (asked == AVERAGE)
    return tasks_table()[found.task].harness_task == tasks_table()[asked].harness_task
