"""Tables in the paper's layout, from ``cells.csv`` and a definition in ``config/tables``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.registry import tasks_table
from sparsitysolver.reporting.definition import DASH, METHOD, PERPLEXITY, Column, Definition, Row, load_definition

DENSE = "dense"
DECIMALS = 2  # as the paper prints perplexities and accuracies
PERPLEXITY_METRIC = "ppl"
# What the extended table says of every number, beside the number itself.
QUANTITIES = ("sd", "seeds", "achieved sparsity", "parameters")
_SPARSITY_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Entry:
    """One number of a table: the mean over seeds and what it rests on, or the reason why there is none.

    Attributes:
        value: mean over seeds; None where every seed was skipped.
        sd: sample standard deviation over seeds; None for fewer than two.
        seeds: how many seeds were measured.
        achieved_sparsity: mean over seeds, fraction of prunable weights removed.
        parameters: mean over seeds, all parameters of the pruned model.
        seqlen: window length in tokens; None for tasks without windows.
        reason: why a combination was skipped, for the footnote; empty otherwise.
        cells: the content keys of the cells behind the number.
    """

    value: float | None
    sd: float | None = None
    seeds: int = 0
    achieved_sparsity: float | None = None
    parameters: float | None = None
    seqlen: int | None = None
    reason: str = ""
    cells: tuple[str, ...] = ()

    @property
    def quantities(self) -> dict[str, str]:
        """The columns of the extended table."""
        skipped = self.value is None
        return {
            "sd": printed(self.sd),
            "seeds": DASH if skipped else str(self.seeds),
            "achieved sparsity": printed(self.achieved_sparsity, 4),
            "parameters": printed(self.parameters, 0),
        }


@dataclass(frozen=True)
class Footnote:
    """Why combinations have no number."""

    number: int
    reason: str
    places: tuple[tuple[str, str], ...]  # (row name, column name)


@dataclass(frozen=True)
class MeasuredTable:
    """A measured table: its definition, its columns, and an entry for every row (the paper's, extended) and column."""

    definition: Definition
    columns: tuple[Column, ...]
    metric: str
    entries: dict[tuple[str, str], Entry]

    def frame(self, rows: Sequence[Row] | None = None) -> pd.DataFrame:
        """The paper's layout, all text: Method, the paper's descriptive columns, one number column per column."""
        rows = self.definition.rows if rows is None else rows
        records = [
            {METHOD: row.name, **self._marks(row)}
            | {column.name: printed(self.entries[row.name, column.name].value) for column in self.columns}
            for row in rows
        ]
        return pd.DataFrame(records, columns=[METHOD, *self.definition.marks, *(c.name for c in self.columns)])

    def extended_frame(self) -> pd.DataFrame:
        """The paper's rows and those it lacks; right of the paper's layout what each number rests on, by column.

        ``sd`` is the sample standard deviation over ``seeds`` seeds.
        """
        rows = (*self.definition.rows, *self.definition.extended)
        details = [
            {
                f"{column.name} {quantity}": self.entries[row.name, column.name].quantities[quantity]
                for column in self.columns
                for quantity in QUANTITIES
            }
            for row in rows
        ]
        return pd.concat([self.frame(rows), pd.DataFrame(details)], axis=1)

    def footnotes(self, rows: Sequence[Row] | None = None) -> list[Footnote]:
        """One footnote per reason, numbered in reading order."""
        places: dict[str, list[tuple[str, str]]] = {}
        for row in self.definition.rows if rows is None else rows:
            for column in self.columns:
                reason = self.entries[row.name, column.name].reason
                if reason:
                    places.setdefault(reason, []).append((row.name, column.name))
        return [Footnote(n, reason, tuple(where)) for n, (reason, where) in enumerate(places.items(), start=1)]

    def _marks(self, row: Row) -> dict[str, str]:
        if row.name in self.definition.published.index:
            return {mark: self.definition.published.loc[row.name, mark] for mark in self.definition.marks}
        return {mark: row.marks.get(mark, DASH) for mark in self.definition.marks}


def printed(value: float | None, decimals: int = DECIMALS) -> str:
    """A number as a table prints it; a dash for none."""
    return DASH if value is None else f"{value:.{decimals}f}"


def build_table(name: str, cells: pd.DataFrame, models: Sequence[str], task: str | None = None) -> MeasuredTable:
    """Build a table from collected cells.

    Args:
        name: a file of ``config/tables``.
        cells: from :func:`read_cells_csv`.
        models: the models of the grid, in the order of the columns.
        task: which perplexity task, where the cells hold more than one.

    Raises:
        SparsitySolverError: cells are missing (all are named), stand twice, or hold no finite number.
    """
    if not models:
        raise SparsitySolverError(f"{name}: no models; name the models of the grid, in the order of the columns.")
    definition = load_definition(name)
    task = task or _task(definition, cells, models)
    metric = tasks_table()[task].metric if task in tasks_table() else PERPLEXITY_METRIC
    columns = tuple(definition.columns(models, task))
    entries: dict[tuple[str, str], Entry] = {}
    missing = []
    for row in (*definition.rows, *definition.extended):
        for column in columns:
            chosen = _choose(cells, row, column, definition.split)
            if chosen.empty:
                missing.append(f"{column.model} × {row.method}")
            else:
                entries[row.name, column.name] = _entry(chosen, row, column, metric)
    if missing:
        where = f"{task} {definition.split}, target sparsity {', '.join(map(str, definition.sparsities))}"
        raise SparsitySolverError(
            f"{name} lacks {len(missing)} cell(s) ({where}): {'; '.join(missing)}. Evaluate them, then collect again."
        )
    return MeasuredTable(definition, columns, metric, entries)


def _task(definition: Definition, cells: pd.DataFrame, models: Sequence[str]) -> str:
    if definition.task != PERPLEXITY:
        return definition.task
    of_grid = cells[cells["model"].isin(models) & (cells["split"] == definition.split)]
    tasks = sorted(set(of_grid.loc[of_grid["metric"] == PERPLEXITY_METRIC, "task"]))
    if len(tasks) != 1:
        found = f"several perplexity tasks ({', '.join(tasks)}); name one" if tasks else "no perplexity cells"
        raise SparsitySolverError(f"{definition.name}: {found} for {', '.join(models)}, {definition.split} split.")
    return tasks[0]


def _choose(cells: pd.DataFrame, row: Row, column: Column, split: str) -> pd.DataFrame:
    sparsity = 0.0 if row.method == DENSE else column.sparsity
    return cells[
        (cells["model"] == column.model)
        & (cells["method"] == row.method)
        & (cells["task"] == column.task)
        & (cells["split"] == split)
        & ((cells["sparsity"] - sparsity).abs() < _SPARSITY_TOLERANCE)
    ]


def _entry(chosen: pd.DataFrame, row: Row, column: Column, metric: str) -> Entry:
    """Mean over seeds; a footnote's reason where seeds were skipped."""
    where = f"{column.model} × {row.method}"
    skipped = chosen[chosen["status"] == "skipped"]
    measured = chosen[(chosen["status"] == "ok") & (chosen["metric"] == metric)]
    _one_per_seed(pd.concat([measured, skipped]), where)
    reason = "; ".join(sorted(set(skipped["reason"]))) or "no reason given" if len(skipped) else ""
    if measured.empty:
        if skipped.empty:
            raise SparsitySolverError(f"{where}: cell {chosen['cell'].iloc[0]} has no metric '{metric}'.")
        return Entry(None, reason=reason, cells=tuple(sorted(skipped["cell"])))
    values = measured["value"]
    if not all(math.isfinite(value) for value in values):
        raise SparsitySolverError(f"{where}: cell {measured['cell'].iloc[0]} holds no finite {metric}.")
    seqlen = measured["seqlen"].iloc[0]
    return Entry(
        value=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        seeds=len(values),
        achieved_sparsity=_mean(measured["achieved_sparsity"]),
        parameters=_mean(measured["parameters"]),
        seqlen=None if math.isnan(seqlen) else int(seqlen),
        reason=f"{len(skipped)} of {len(skipped) + len(values)} seeds skipped: {reason}" if reason else "",
        cells=tuple(sorted(measured["cell"])),
    )


def _one_per_seed(chosen: pd.DataFrame, where: str) -> None:
    """Two cells of one seed differ in something that no column of the table shows; a mean of them means nothing."""
    for seed, same in chosen.groupby("seed"):
        if len(same) > 1:
            keys = " and ".join(sorted(same["cell"])[:2])
            raise SparsitySolverError(
                f"{where}, seed {int(seed)}: cells {keys} stand for the same entry; collect only one of them."
            )


def _mean(values: pd.Series) -> float | None:
    mean = float(values.mean())
    return None if math.isnan(mean) else mean
