"""A measured table as files: CSV in the paper's layout, its extended twin, LaTeX of both, footnotes, pairs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.records import atomic_path, write_json, write_text
from sparsitysolver.reporting.collect import read_cells_csv
from sparsitysolver.reporting.curves import read_curves
from sparsitysolver.reporting.definition import DASH, METHOD, Row, load_definition
from sparsitysolver.reporting.entries import Entry, printed
from sparsitysolver.reporting.latex import fitted, tabular, tex_escape, tex_table
from sparsitysolver.reporting.metrics import AVERAGE
from sparsitysolver.reporting.paired import compare_rows, pairs_frame
from sparsitysolver.reporting.samples import Samples, read_samples, samples_path
from sparsitysolver.reporting.tables import Footnote, MeasuredTable, build_table


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame of texts whole or not at all."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def footnote_text(footnote: Footnote) -> str:
    """A footnote as it is printed under a table."""
    places = ", ".join(f"{row} × {column}" for row, column in footnote.places)
    return f"({footnote.number}) {places}: {footnote.reason}"


def _tex(table: MeasuredTable, blocks: dict[str, pd.DataFrame], rows: Sequence[Row], label: str) -> str:
    """A table of one or more stacked tabulars; footnote marks stand in the first."""
    notes = table.footnotes(rows)
    positions = {row.name: position for position, row in enumerate(rows)}
    marks = {(positions[row], column): note.number for note in notes for row, column in note.places}
    body = ""
    for number, (heading, frame) in enumerate(blocks.items()):
        left = len(frame.columns) - len(table.columns)
        title = f"\\par\\medskip {tex_escape(heading)}\\par\\smallskip\n" if heading else ""
        body += title + fitted(tabular(frame, left, marks if number == 0 else None))
    return tex_table(table.caption, f"tab:{label}", body, map(footnote_text, notes))


def _extended_blocks(table: MeasuredTable) -> dict[str, pd.DataFrame]:
    """What the extended table says, one block per quantity, so that nine models fit a page."""
    rows = table.definition.all_rows

    def block(text: Callable[[Entry], str]) -> pd.DataFrame:
        records = [
            {METHOD: r.name} | {c.name: text(table.entries[r.name, c.name]) for c in table.columns} for r in rows
        ]
        return pd.DataFrame(records)

    def value(entry: Entry) -> str:
        spread = "" if entry.sd is None else f" ± {printed(entry.sd)} ({entry.seeds})"
        return entry.text + spread

    return {
        f"{table.metric}: mean ± sample standard deviation (seeds), where there are several": block(value),
        "achieved sparsity: fraction of prunable weights removed": block(lambda e: e.quantities["achieved sparsity"]),
        "parameters": block(lambda e: DASH if e.parameters is None else f"{e.parameters:,.0f}"),
    }


def _answers(table: MeasuredTable) -> dict[str, dict[str, int]]:
    answers: dict[str, dict[str, int]] = {}
    for (row, column), entry in table.entries.items():
        if column != AVERAGE and entry.value is not None and entry.items:
            answers.setdefault(row, {})[column] = entry.items * entry.seeds
    return answers


def write_table(table: MeasuredTable, samples: Samples, out_dir: Path) -> None:
    """Write ``NAME.csv``, ``NAME.tex``, their ``NAME_extended`` twins, ``NAME.footnotes.json`` and ``NAME.pairs.csv``.

    The footnotes' file also names the table's models and tasks: columns alone do not say both. ``answers`` in it says
    how many answers an accuracy rests on, items times seeds, by row and column.
    """
    definition, name = table.definition, table.definition.name
    rows = definition.all_rows
    write_csv(table.frame(), out_dir / f"{name}.csv")
    write_csv(table.extended_frame(), out_dir / f"{name}_extended.csv")
    write_text(out_dir / f"{name}.tex", _tex(table, {"": table.frame()}, definition.rows, name))
    write_text(out_dir / f"{name}_extended.tex", _tex(table, _extended_blocks(table), rows, f"{name}-extended"))
    notes = [
        {"number": note.number, "reason": note.reason, "places": [list(place) for place in note.places]}
        for note in table.footnotes(rows)
    ]
    axes = {"models": table.models, "tasks": table.tasks, "answers": _answers(table)}
    write_json(out_dir / f"{name}.footnotes.json", axes | {"footnotes": notes})
    write_csv(pairs_frame(table, compare_rows(table, samples)), out_dir / f"{name}.pairs.csv")


def curves_of(name: str, results: Path) -> pd.DataFrame | None:
    """The curves that a table with rows from searches is made of; None for others."""
    if not any(row.quantity for row in load_definition(name).all_rows):
        return None
    return read_curves(results / f"curves_{name}.csv")


def table_command(name: str, cells_csv: Path, models: list[str], out_dir: Path, tasks: Sequence[str] = ()) -> None:
    """``report table``: one table of the paper from ``cells.csv`` and the samples beside it, as CSV and LaTeX."""
    table = build_table(name, read_cells_csv(cells_csv), models, tasks, curves_of(name, cells_csv.parent))
    write_table(table, read_samples(samples_path(cells_csv)), out_dir)
