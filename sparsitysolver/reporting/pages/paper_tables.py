"""``paper_tables.md``: every table of the paper, published beside measured, with verdicts and provenance."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.grid_settings import check_models
from sparsitysolver.config.paper import titles
from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.config.tables import DASH, METHOD, TASKS, descriptive_columns, load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import LEAKAGE
from sparsitysolver.records.files import Json, read_json, write_text
from sparsitysolver.reporting.audit.table import audit_section
from sparsitysolver.reporting.collected.collect import UNKNOWN, read_collected
from sparsitysolver.reporting.compare.intervals import CONFIDENCE
from sparsitysolver.reporting.compare.verdicts import PUBLISHED_WORDS, Verdict
from sparsitysolver.reporting.pages.claims_section import claims_section
from sparsitysolver.reporting.pages.templates import render
from sparsitysolver.reporting.tables import settings as settings_table
from sparsitysolver.reporting.tables.entries import printed
from sparsitysolver.reporting.tables.files import CAPTION, curves_of, footnote_text, removed_frame, versions_note
from sparsitysolver.reporting.tables.judged import not_comparable, verdict_of
from sparsitysolver.reporting.tables.orders import OrderClaim, judge_order, order_claims
from sparsitysolver.reporting.tables.pairs import PairVerdicts, read_pair_verdicts
from sparsitysolver.reporting.tables.tables import MeasuredTable, build_table

# What follows the tables, where it was made.
SECTIONS: dict[str, Callable[[Path], str]] = {"claims.csv": claims_section, "audit.csv": audit_section}


def paper_tables(results: Path, grid: str) -> str:
    """The page for the tables found in a results folder.

    Args:
        results: folder with ``cells.csv`` and the files of any of ``table1`` to ``table7``.
        grid: the grid they were measured on, as the page names it.
    """
    tables = [
        {"name": name, "heading": f"{name.replace('table', 'Table ')}: {title}"} | _table(name, results, grid)
        for name, title in titles().items()
    ]
    sections = [section(results / file) for file, section in SECTIONS.items() if (results / file).is_file()]
    return render("paper_tables.md", grid=grid, confidence=f"{CONFIDENCE:.0%}", tables=tables, sections=sections)


def _table(name: str, results: Path, grid: str) -> Json:
    """What the template shows of a table: its settings, its measurements, or that it was not run."""
    path = results / f"{name}.csv"
    if name == settings_table.NAME:
        if not path.is_file():
            return {"not_run": settings_table.published_settings()}
        return {"settings": settings_table.settings_verdicts(pd.read_csv(path, dtype=str, keep_default_na=False))}
    published = load_definition(name).published
    numbers = published.drop(columns=descriptive_columns(published))
    return _measured_table(name, numbers, results, grid) if path.is_file() else {"not_run": numbers.reset_index()}


def _measured_table(name: str, published: pd.DataFrame, results: Path, grid: str) -> Json:
    cells, _ = read_collected(results / "cells.csv")
    axes = _axes(results / f"{name}.footnotes.json", results / f"{name}.csv", grid)
    table = build_table(name, cells, axes["models"], axes["tasks"], curves_of(name, results))
    pairs = read_pair_verdicts(results / f"{name}.pairs.csv")
    extended = table.definition.extended
    return {
        **_beside(published, table),
        **_local(table, pairs),
        "extended": table.frame(extended)[_numbers(table)] if extended else None,
        "removed_caption": CAPTION,
        "removed": removed_frame(table),
        "noise": _noise(name, table, pairs),
        "footnotes": _footnotes(table),
        **_provenance(table, cells, grid),
    }


def _numbers(table: MeasuredTable) -> list[str]:
    return [METHOD, *(column.name for column in table.columns)]


def _axes(sidecar: Path, path: Path, grid: str) -> Json:
    """The models and tasks of a written table; the models must be among those of the grid the page is about."""
    axes = read_json(sidecar, "table's footnotes")
    if not {"models", "tasks"} <= axes.keys():
        raise SparsitySolverError(f"{sidecar} does not name the models and tasks of {path.name}; make the table anew.")
    check_models(grid, axes["models"], path)
    return axes


def _beside(published: pd.DataFrame, table: MeasuredTable) -> Json:
    """Three lines per method: published, measured, verdict, for what this grid measures; names of what it does not.

    A dash in the paper has no verdict.
    """
    shown = [column for column in published if column in table.columns_of_paper]
    elsewhere = [column for column in published if column not in shown]
    lines, count = [], Counter[Verdict]()
    for row, values in published[shown].iterrows():
        verdicts = {column: verdict_of(table, row, column) for column, value in values.items() if value != DASH}
        measured = {column: table.entries.get((row, column)) for column in shown}
        count.update(verdicts.values())
        lines.append({METHOD: row, "": "published"} | dict(values))
        lines.append({METHOD: "", "": "measured"} | {c: entry.text if entry else DASH for c, entry in measured.items()})
        lines.append({METHOD: "", "": "verdict"} | {c: PUBLISHED_WORDS.get(verdicts.get(c), DASH) for c in shown})
    return {
        "beside": pd.DataFrame(lines) if shown else None,
        "counts": ", ".join(f"{count[verdict]} {word}" for verdict, word in PUBLISHED_WORDS.items()),
        "elsewhere": elsewhere,
        "unmeasured": int((published[elsewhere] != DASH).sum().sum()),
    }


def _local(table: MeasuredTable, pairs: PairVerdicts) -> Json:
    """Models and tasks that the paper lacks, in a table of their own, with the paper's claims of order on them."""
    columns = [c.name for c in table.columns if c.name not in table.columns_of_paper]
    if not columns:
        return {"local": None}
    orders = pd.DataFrame([_order_line(claim, table, columns, pairs) for claim in order_claims(table)])
    if not orders.empty and set(orders["Texts"]) == {DASH}:
        orders = orders.drop(columns="Texts")
    return {"local": table.frame()[[METHOD, *columns]], "orders": None if orders.empty else orders}


def _order_line(claim: OrderClaim, table: MeasuredTable, columns: Sequence[str], pairs: PairVerdicts) -> dict[str, str]:
    orders = {column: judge_order(claim, table, column, pairs) for column in columns}
    texts = dict.fromkeys(order.texts for order in orders.values() if order.texts)
    return {
        "Claim": f"{claim.better} better than {claim.worse}",
        "Published": f"{claim.support} of {claim.columns}",
        **{column: str(order) for column, order in orders.items()},
        "Texts": "; ".join(texts) or DASH,
    }


def _noise(name: str, table: MeasuredTable, pairs: PairVerdicts) -> str:
    """How many of the gaps between rows mean nothing."""
    unequal = sum(verdict is Verdict.UNEQUAL for verdict in pairs.values())
    left_out = f" Not compared for unequal sparsity: {unequal}." if unequal else ""
    compared = [verdict for verdict in pairs.values() if verdict not in (Verdict.NOT_RUN, Verdict.UNEQUAL)]
    if not compared:
        return f"Pairwise gaps: none compared, the cells hold no samples.{left_out}"
    inside = sum(verdict is Verdict.NOISE for verdict in compared)
    over = "windows" if table.columns[0].metric == PERPLEXITY_METRIC else "items"
    seeds = max(entry.seeds for entry in table.entries.values())
    also = f"and up to {seeds} seeds" if seeds > 1 else "of one seed: seeds are not in them"
    return (
        f"Pairwise gaps inside the noise: {inside} of {len(compared)} ({CONFIDENCE:.0%} intervals over paired {over} "
        f"{also}; every pair in `{name}.pairs.csv`).{left_out}"
    )


def _footnotes(table: MeasuredTable) -> list[str]:
    rows = [row for row in table.definition.all_rows if not row.quantity]
    lines = [footnote_text(note) for note in table.footnotes(rows)]
    for column in table.columns_of_paper:
        differences = {not_comparable(table, row.name, column) for row in rows} - {""}
        if differences:
            lines.append(f"{column}: not the published protocol: {'; '.join(sorted(differences))}.")
    return lines


def _provenance(table: MeasuredTable, cells: pd.DataFrame, grid: str) -> Json:
    """What the numbers were made with; what differs between cells is listed in full."""
    keys = {key for entry in table.entries.values() for key in entry.cells}
    shown = {(column.task, column.metric) for column in table.columns}
    used = cells[cells["cell"].isin(keys)]
    used = used[[pair in shown for pair in zip(used["task"], used["metric"], strict=True)]]
    zero_shot = table.definition.layout == TASKS
    items = {
        "grid": [grid],
        **({"model": table.models} if zero_shot else {}),
        "task": [f"{', '.join(table.tasks)} ({table.definition.split} split)"],
        "seeds": sorted({f"{seed:.0f}" for seed in used["seed"]}, key=int),
        "commit": _distinct(used["commit"]),
        "versions": _distinct(used["versions"]),
        "device": _distinct(used["device"]),
        **({"harness": _distinct(used["harness"])} if zero_shot else {"join": _quoted(used["join"])}),
        "precision": _distinct(used["dtype"]),
    }
    line = "; ".join(f"{key}: {' | '.join(values) or 'none'}" for key, values in items.items())
    line += f". {versions_note(table)[:-1]}" if table.other_versions else ""
    return {"provenance": f"{line}.", "protocols": _protocols(used, table), "leakage": _leakage(used)}


def _protocols(used: pd.DataFrame, table: MeasuredTable) -> pd.DataFrame:
    """One line per model, or per task where columns are tasks."""
    if table.definition.layout == TASKS:
        axis, order = "task", table.tasks
        numbers, texts = ["items", "seqlen", "batch_size"], ["task_version", "bos", "dataset", "revision"]
    else:
        axis, order = "model", table.models
        numbers, texts = ["seqlen", "windows", "tokens"], ["bos", "dataset", "revision"]
    frame = used[[axis, "fingerprint", *numbers, *texts]].drop_duplicates().set_index(axis)
    frame = frame.loc[[name for name in order if name in frame.index]].reset_index()
    for column in numbers:
        frame[column] = [DASH if math.isnan(value) else printed(value, 0) for value in frame[column]]
    return frame.rename(columns={axis: "Protocol of"})


def _leakage(used: pd.DataFrame) -> list[str]:
    parts = []
    for flag in LEAKAGE:
        leaky, unknown = (_distinct(used.loc[used[flag] == value, "method"]) for value in ("yes", UNKNOWN))
        doubt = f" (not known of {', '.join(unknown)})" if unknown else ""
        parts.append(f"{flag.replace('_', ' ')}: {', '.join(leaky) or 'none'}{doubt}")
    return parts


def _quoted(values: Iterable[str]) -> list[str]:
    return [f"`{text!r}`" for text in _distinct(values)]


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


def paper_tables_command(results: Path, out: Path, grid: str) -> None:
    """``sparsitysolver report paper-tables``: write ``paper_tables.md`` from a results folder."""
    write_text(out, paper_tables(results, grid))
