"""Tables in the paper's layout, from ``cells.csv`` and a definition in ``config/tables``."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from sparsitysolver.config import tables as config
from sparsitysolver.config.registry import AVERAGE, PERPLEXITY, PERPLEXITY_METRIC, ZERO_SHOT, is_zero_shot, tasks_table
from sparsitysolver.config.tables import DASH, METHOD, TASKS, Column, Definition, Row
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.checks import differing_versions
from sparsitysolver.reporting.tables.entries import Entry
from sparsitysolver.reporting.tables.measured import average_entry, measured_entry, quantity_entry, rows_of, where


class Footnote(NamedTuple):
    """Why the combinations at some places, pairs of row and column names, have no number."""

    number: int
    reason: str
    places: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MeasuredTable:
    """A measured table: its definition, its columns, and an entry for every row (the paper's, extended) and column.

    ``other_versions`` says in which libraries its cells differ; empty where they do not.
    """

    definition: Definition
    columns: tuple[Column, ...]
    entries: dict[tuple[str, str], Entry]
    other_versions: str = ""

    @property
    def metric(self) -> str:
        """What the table shows, in words: its one metric, or accuracy in percent where tasks differ in theirs."""
        return "accuracy in %" if self.definition.layout == TASKS else self.columns[0].metric

    @property
    def tasks(self) -> list[str]:
        """The tasks of the columns, each once, the average apart."""
        return list(dict.fromkeys(column.task for column in self.columns if column.task != AVERAGE))

    @property
    def models(self) -> list[str]:
        """The models of the columns, each once."""
        return list(dict.fromkeys(column.model for column in self.columns))

    @property
    def caption(self) -> str:
        """The title; with the model where columns do not name it."""
        title = self.definition.title
        return f"{title} ({self.models[0]})" if self.definition.layout == TASKS else title

    @property
    def columns_of_paper(self) -> list[str]:
        """Columns that mean the same in the paper: its models; or its tasks on its model, and the average of all."""
        published = self.definition.published_columns
        if self.definition.layout == TASKS:
            if self.models != [self.definition.protocol.get("published_model", self.models[0])]:
                return []
            if set(self.tasks) != set(self.definition.published_tasks):
                published = self.definition.published_tasks
        return [column.name for column in self.columns if column.name in published]

    def texts(self, row: Row, text: Callable[[Entry], str] = lambda entry: entry.text) -> dict[str, str]:
        """A row's entries by column, as texts."""
        return {column.name: text(self.entries[row.name, column.name]) for column in self.columns}

    def frame(self, rows: Sequence[Row] | None = None) -> pd.DataFrame:
        """The paper's layout, all text: Method, the paper's descriptive columns, one number column per column."""
        published, names = self.definition.published, self.definition.marks
        records = []
        for row in self.definition.rows if rows is None else rows:
            marks = published.loc[row.name] if row.name in published.index else row.marks
            records.append({METHOD: row.name} | {mark: marks.get(mark, DASH) for mark in names} | self.texts(row))
        return pd.DataFrame(records, columns=[METHOD, *names, *(column.name for column in self.columns)])

    def extended_frame(self) -> pd.DataFrame:
        """The paper's rows and those it lacks; right of the paper's layout what each number rests on, by column."""
        rows = self.definition.all_rows
        details = [
            {
                f"{column.name} {detail}": text
                for column in self.columns
                for detail, text in self.entries[row.name, column.name].details.items()
            }
            for row in rows
        ]
        return pd.concat([self.frame(rows), pd.DataFrame(details)], axis=1)

    def footnotes(self, rows: Sequence[Row] | None = None) -> list[Footnote]:
        """One footnote per reason, numbered in reading order."""
        places: dict[str, list[tuple[str, str]]] = {}
        for row in self.definition.rows if rows is None else rows:
            for column in self.columns:
                if reason := self.entries[row.name, column.name].reason:
                    places.setdefault(reason, []).append((row.name, column.name))
        return [Footnote(n, reason, tuple(where)) for n, (reason, where) in enumerate(places.items(), start=1)]


def build_table(
    name: str, cells: pd.DataFrame, models: Sequence[str], tasks: Sequence[str] = (), curves: pd.DataFrame | None = None
) -> MeasuredTable:
    """Build a table of ``config/tables`` from collected cells, and from ``curves.csv`` where rows are of searches.

    Models and tasks stand in the order of the columns. Where columns are tasks there is exactly one model; otherwise
    one perplexity task. Without tasks those that the cells hold are shown.

    Raises:
        SparsitySolverError: cells are missing (all are named) or stand twice; models or tasks that the table cannot
            show.
    """
    if not models:
        raise SparsitySolverError(f"{name}: no models; name the models of the grid, in the order of the columns.")
    definition = config.load_definition(name)
    columns = tuple(definition.columns(models, tasks or tasks_of(definition, cells, models)))
    entries, missing = measured_entries(cells, definition.all_rows, columns, definition.split)
    if missing:
        axes = columns[0].model if definition.layout == TASKS else columns[0].task
        place = f"{axes} {definition.split}, target sparsity {', '.join(map(str, definition.sparsities))}"
        raise SparsitySolverError(
            f"{name} lacks {len(missing)} cell(s) ({place}): {'; '.join(missing)}. Evaluate them, then collect again."
        )
    for row, column in itertools.product(definition.all_rows, columns):
        if row.quantity:
            entries[row.name, column.name] = quantity_entry(row, column, curves, name)
    keys = {key for entry in entries.values() for key in entry.cells}
    used = cells[cells["cell"].isin(keys)].drop_duplicates("cell")
    return MeasuredTable(definition, columns, entries, differing_versions(used["versions"]))


def measured_entries(
    cells: pd.DataFrame, rows: Sequence[Row], columns: Sequence[Column], split: str
) -> tuple[dict[tuple[str, str], Entry], list[str]]:
    """The entries that cells are there for, by row and column name, and what the others are called in messages.

    A row has an average where it has entries for all tasks. Rows that are read from curves are left out.
    """
    of_cells = [column for column in columns if column.task != AVERAGE]
    entries: dict[tuple[str, str], Entry] = {}
    missing = {}
    for row in (row for row in rows if not row.quantity):
        parts = {}
        for column in of_cells:
            chosen = rows_of(cells, row, column, task=column.task, split=split)
            if chosen.empty:
                missing[where(row, column)] = True
            else:
                parts[column.name] = measured_entry(chosen, where(row, column), column.metric)
        entries |= {(row.name, name): entry for name, entry in parts.items()}
        if len(parts) == len(of_cells) < len(columns):
            entries[row.name, AVERAGE] = average_entry(parts)
    return entries, list(missing)


def tasks_of(definition: Definition, cells: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """The tasks that the cells of these models hold; the perplexity task must be the only one."""
    if definition.task not in (PERPLEXITY, ZERO_SHOT):
        return [definition.task]
    of_grid = cells[cells["model"].isin(models) & (cells["split"] == definition.split)]
    if definition.task == ZERO_SHOT:
        held = set(of_grid["task"])
        return [task for task in tasks_table() if task in held and is_zero_shot(task)]
    tasks = sorted(set(of_grid.loc[of_grid["metric"] == PERPLEXITY_METRIC, "task"]))
    if len(tasks) != 1:
        found = f"several perplexity tasks ({', '.join(tasks)}); name one" if tasks else "no perplexity cells"
        raise SparsitySolverError(f"{definition.name}: {found} for {', '.join(models)}, {definition.split} split.")
    return tasks
