"""``paper_tables.md``: every table of the paper, published beside measured, with verdicts and provenance."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from sparsitysolver.config.paper import titles
from sparsitysolver.config.registry import PERPLEXITY_METRIC, models_table
from sparsitysolver.config.settings import check_models
from sparsitysolver.config.tables import DASH, METHOD, TASKS, load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import LEAKAGE
from sparsitysolver.records.files import Json, read_json, write_text
from sparsitysolver.reporting.collected.collect import UNKNOWN, read_collected
from sparsitysolver.reporting.compare.intervals import CONFIDENCE
from sparsitysolver.reporting.compare.verdicts import PUBLISHED_WORDS, Verdict
from sparsitysolver.reporting.pages.sections import audit_section, claims_section
from sparsitysolver.reporting.pages.templates import render
from sparsitysolver.reporting.tables import settings as settings_table
from sparsitysolver.reporting.tables.entries import printed
from sparsitysolver.reporting.tables.files import CAPTION, curves_of, footnote_text, removed_frame, versions_note
from sparsitysolver.reporting.tables.judged import not_comparable, verdict_of
from sparsitysolver.reporting.tables.orders import judge_order, order_claims
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
    definition = load_definition(name)
    published = definition.published[definition.published_columns]
    if not path.is_file():
        return {"not_run": published.reset_index()}
    # The models and tasks of the written table; the models must be among those of the grid the page is about.
    sidecar = results / f"{name}.footnotes.json"
    axes = read_json(sidecar, "table's footnotes")
    if not {"models", "tasks"} <= axes.keys():
        raise SparsitySolverError(f"{sidecar} does not name the models and tasks of {path.name}; make the table anew.")
    check_models(grid, axes["models"], path)
    cells, _ = read_collected(results / "cells.csv")
    table = build_table(name, cells, axes["models"], axes["tasks"], curves_of(name, results))
    pairs = read_pair_verdicts(results / f"{name}.pairs.csv")
    numbers = [METHOD, *(column.name for column in table.columns)]
    return {
        "own": [model for model in table.models if model not in models_table()],
        **_beside(published, table),
        **_local(table, pairs),
        "extended": table.frame(definition.extended)[numbers] if definition.extended else None,
        "removed_caption": CAPTION,
        "removed": removed_frame(table),
        **_noise(table, pairs),
        "footnotes": _footnotes(table),
        **_provenance(table, cells, grid, axes.get("settings", [])),
    }


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
    lines = []
    for claim in order_claims(table) if columns else ():
        orders = {column: judge_order(claim, table, column, pairs) for column in columns}
        texts = dict.fromkeys(order.texts for order in orders.values() if order.texts)
        line = {
            "Claim": f"{claim.better} better than {claim.worse}",
            "Published": f"{claim.support} of {claim.columns}",
        }
        lines.append(line | {c: str(order) for c, order in orders.items()} | {"Texts": "; ".join(texts) or DASH})
    orders = pd.DataFrame(lines)
    if lines and set(orders["Texts"]) == {DASH}:
        orders = orders.drop(columns="Texts")
    return {"local": table.frame()[[METHOD, *columns]] if columns else None, "orders": orders if lines else None}


def _noise(table: MeasuredTable, pairs: PairVerdicts) -> Json:
    """How many of the gaps between rows mean nothing."""
    compared = [verdict for verdict in pairs.values() if verdict not in (Verdict.NOT_RUN, Verdict.UNEQUAL)]
    return {
        "unequal": sum(verdict is Verdict.UNEQUAL for verdict in pairs.values()),
        "compared": len(compared),
        "inside": sum(verdict is Verdict.NOISE for verdict in compared),
        "over": "windows" if table.columns[0].metric == PERPLEXITY_METRIC else "items",
        "seeds": max(entry.seeds for entry in table.entries.values()),
    }


def _footnotes(table: MeasuredTable) -> list[str]:
    rows = [row for row in table.definition.all_rows if not row.quantity]
    lines = [footnote_text(note) for note in table.footnotes(rows)]
    for column in table.columns_of_paper:
        differences = {not_comparable(table, row.name, column) for row in rows} - {""}
        if differences:
            lines.append(f"{column}: not the published protocol: {'; '.join(sorted(differences))}.")
    return lines


def _provenance(table: MeasuredTable, cells: pd.DataFrame, grid: str, settings: list[str]) -> Json:
    """What the numbers were made with; what differs between cells is listed in full."""
    keys = {key for entry in table.entries.values() for key in entry.cells}
    shown = {(column.task, column.metric) for column in table.columns}
    used = cells[cells["cell"].isin(keys)]
    used = used[[pair in shown for pair in zip(used["task"], used["metric"], strict=True)]]
    zero_shot = table.definition.layout == TASKS
    items = {
        "grid": [grid],
        **({"settings of the run": [", ".join(settings)]} if settings else {}),
        **({"model": table.models} if zero_shot else {}),
        "task": [f"{', '.join(table.tasks)} ({table.definition.split} split)"],
        "seeds": sorted({f"{seed:.0f}" for seed in used["seed"]}, key=int),
        **{name: _distinct(used[name]) for name in ("commit", "versions", "device")},
        **({"harness": _distinct(used["harness"])} if zero_shot else {}),
        **({} if zero_shot else {"join": [f"`{text!r}`" for text in _distinct(used["join"])]}),
        "precision": _distinct(used["dtype"]),
        **({"bos": _distinct(used["bos"])} if len(_distinct(used["bos"])) > 1 else {}),  # by model: below
    }
    line = "; ".join(f"{key}: {' | '.join(values) or 'none'}" for key, values in items.items())
    line += f". {versions_note(table)[:-1]}" if table.other_versions else ""
    leaks = {
        flag.replace("_", " "): [_distinct(used.loc[used[flag] == value, "method"]) for value in ("yes", UNKNOWN)]
        for flag in LEAKAGE
    }
    return {"provenance": f"{line}.", "protocols": _protocols(used, table), "leakage": leaks}


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


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


def paper_tables_command(results: Path, out: Path, grid: str) -> None:
    """``sparsitysolver report paper-tables``: write ``paper_tables.md`` from a results folder."""
    write_text(out, paper_tables(results, grid))
