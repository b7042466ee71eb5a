"""A measured table as files: CSV in the paper's layout, its extended twin, LaTeX, Markdown, footnotes, pairs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import AVERAGE
from sparsitysolver.config.tables import DASH, METHOD, Row, load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CURVES
from sparsitysolver.records.files import read_json, write_json, write_text
from sparsitysolver.reporting.collected.checks import check_samples
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.collected.long_tables import read_long
from sparsitysolver.reporting.collected.samples import Samples, read_samples, samples_path
from sparsitysolver.reporting.formats import fitted, markdown, tabular, tex_escape, tex_table, write_csv
from sparsitysolver.reporting.tables.entries import Entry, printed, printed_count
from sparsitysolver.reporting.tables.pairs import compare_rows, pairs_frame
from sparsitysolver.reporting.tables.tables import Footnote, MeasuredTable, build_table

CAPTION = "What was removed (share of the prunable weights; parameters left), and the texts that each row was tuned on:"


def footnote_text(footnote: Footnote) -> str:
    """A footnote as it is printed under a table."""
    places = ", ".join(f"{row} × {column}" for row, column in footnote.places)
    return f"({footnote.number}) {places}: {footnote.reason}"


def versions_note(table: MeasuredTable) -> str:
    """A sentence on a table whose cells were made with different versions of what computes them."""
    return f"Cells of this table were made with different versions: {table.other_versions}."


def removed_frame(table: MeasuredTable) -> pd.DataFrame:
    """A row per method; a column per model and sparsity, such as ``57.8%, 2.53 M``, and the texts it was tuned on.

    The tasks of a table of tasks are one column here; where they differ (one search per task) each is listed.
    """
    columns = [column for column in table.columns if column.task != AVERAGE]
    one_model = len({(column.model, column.sparsity) for column in columns}) == 1
    lines = []
    for row in (row for row in table.definition.all_rows if not row.quantity):
        removed: dict[str, dict[str, str]] = {}
        tuned = {}
        for column in columns:
            entry = table.entries[row.name, column.name]
            sparsity = "" if entry.achieved_sparsity is None else f"{entry.achieved_sparsity:.1%}"
            size = "" if entry.parameters is None else printed_count(entry.parameters)
            what = ", ".join(filter(None, (sparsity, size))) or DASH
            removed.setdefault(column.model if one_model else column.name, {})[column.name] = what
            if entry.value is not None:
                tuned[column.name] = entry.tuning.text
        listed = {name: _listed(texts) for name, texts in {**removed, "Tuned on": tuned}.items()}
        lines.append({METHOD: row.name, **listed})
    return pd.DataFrame(lines)


def _listed(texts: Mapping[str, str]) -> str:
    """A text that all places share, or each text with its places."""
    places: dict[str, list[str]] = {}
    for place, text in texts.items():
        places.setdefault(text, []).append(place)
    if len(places) < 2:
        return next(iter(places), DASH)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in places.items())


def _tex(table: MeasuredTable, blocks: dict[str, pd.DataFrame], rows: Sequence[Row], label: str) -> str:
    """A table of one or more stacked tabulars; footnote marks stand in the first."""
    notes = table.footnotes(rows)
    positions = {row.name: position for position, row in enumerate(rows)}
    marks = {(positions[row], column): note.number for note in notes for row, column in note.places}
    body = ""
    for heading, frame in blocks.items():
        left = len(frame.columns) - len(table.columns)
        title = f"\\par\\medskip {tex_escape(heading)}\\par\\smallskip\n" if heading else ""
        body += title + fitted(tabular(frame, left, {} if body else marks))
    return tex_table(table.caption, f"tab:{label}", body, map(footnote_text, notes))


def _extended_blocks(table: MeasuredTable) -> dict[str, pd.DataFrame]:
    """What the extended table says, one block per quantity, so that nine models fit a page."""

    def value(entry: Entry) -> str:
        return entry.text + ("" if entry.sd is None else f" ± {printed(entry.sd)} ({entry.seeds})")

    blocks: dict[str, Callable[[Entry], str]] = {
        f"{table.metric}: mean ± sample standard deviation (seeds), where there are several": value,
        "achieved sparsity: fraction of prunable weights removed": lambda e: e.details["achieved sparsity"],
        "parameters": lambda e: DASH if e.parameters is None else f"{e.parameters:,.0f}",
        "calibration: the texts that each row was tuned on": lambda e: e.tuning.text,
    }
    rows = table.definition.all_rows
    return {
        heading: pd.DataFrame([{METHOD: row.name, **table.texts(row, text)} for row in rows])
        for heading, text in blocks.items()
    }


def _md(table: MeasuredTable) -> str:
    """The caption, the paper's rows, those it lacks, what all of them removed, and their footnotes."""
    lacked = [{METHOD: row.name, **table.texts(row)} for row in table.definition.extended]
    notes = "\n".join(f"- {footnote_text(note)}" for note in table.footnotes(table.definition.all_rows))
    parts = [f"**{table.caption}**", markdown(table.frame())]
    parts += ["Rows the paper lacks:", markdown(pd.DataFrame(lacked))] if lacked else []
    parts += [CAPTION, markdown(removed_frame(table)), versions_note(table) if table.other_versions else "", notes]
    return "\n\n".join(filter(None, parts)) + "\n"


def write_table(
    table: MeasuredTable, samples: Samples, out_dir: Path, grid: str = "", settings: Sequence[str] = ()
) -> None:
    """Write ``NAME.csv``, ``NAME.tex``, their ``NAME_extended`` twins, ``NAME.md``, its footnotes and its pairs.

    ``NAME.footnotes.json`` also names the table's models and tasks, which columns alone do not say, and where they are
    known the grid and what a run changed of its settings: with these the table can be made again from its cells.
    ``answers`` in it says how many answers an accuracy rests on, items times seeds, by row and column.
    """
    name, rows = table.definition.name, table.definition.all_rows
    write_csv(table.frame(), out_dir / f"{name}.csv")
    write_csv(table.extended_frame(), out_dir / f"{name}_extended.csv")
    write_text(out_dir / f"{name}.tex", _tex(table, {"": table.frame()}, table.definition.rows, name))
    write_text(out_dir / f"{name}_extended.tex", _tex(table, _extended_blocks(table), rows, f"{name}-extended"))
    write_text(out_dir / f"{name}.md", _md(table))
    answers: dict[str, dict[str, int]] = {}
    for (row, column), entry in table.entries.items():
        if column != AVERAGE and entry.measured and entry.measured.items:
            answers.setdefault(row, {})[column] = entry.measured.items * entry.seeds
    notes = [note._asdict() for note in table.footnotes(rows)]
    axes = {"models": table.models, "tasks": table.tasks} | ({"grid": grid} if grid else {})
    axes |= {"settings": list(settings)} if settings else {}
    write_json(out_dir / f"{name}.footnotes.json", axes | {"answers": answers, "footnotes": notes})
    write_csv(pairs_frame(table, compare_rows(table, samples)), out_dir / f"{name}.pairs.csv")


def curves_of(name: str, results: Path) -> pd.DataFrame | None:
    """The curves that a table with rows from searches is made of; None for others."""
    if not any(row.quantity for row in load_definition(name).all_rows):
        return None
    return read_long(results / f"curves_{name}.csv", CURVES)


def grid_of(results: Path) -> str:
    """The grid that the tables of a results folder name; empty where none does.

    Raises:
        SparsitySolverError: tables of several grids.
    """
    paths = sorted(results.glob("table*.footnotes.json"))
    named = {path.name.split(".")[0]: read_json(path, "table's footnotes").get("grid", "") for path in paths}
    grids = sorted(set(named.values()) - {""})
    if len(grids) > 1:
        found = ", ".join(f"{table}: {grid}" for table, grid in named.items() if grid)
        raise SparsitySolverError(f"{results} holds tables of several grids ({found}); make them anew on one.")
    return grids[0] if grids else ""


def table_command(
    name: str,
    cells_csv: Path,
    models: list[str],
    out_dir: Path,
    tasks: Sequence[str] = (),
    grid: str = "",
    settings: Sequence[str] = (),
) -> None:
    """``report table``: one table of the paper from ``cells.csv`` and the samples beside it, as files."""
    cells = read_cells_csv(cells_csv)
    # Before the samples are looked at: a missing cell has its place in the table.
    table = build_table(name, cells, models, tasks, curves_of(name, cells_csv.parent))
    samples = read_samples(samples_path(cells_csv))
    check_samples(cells, samples, cells_csv)
    write_table(table, samples, out_dir, grid, settings)
