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
from sparsitysolver.records.files import Json, read_json, write_text
from sparsitysolver.reporting.audit.table import audit_section
from sparsitysolver.reporting.claims.page import claims_section
from sparsitysolver.reporting.collected.collect import LEAKAGE, UNKNOWN, read_collected
from sparsitysolver.reporting.compare.intervals import CONFIDENCE
from sparsitysolver.reporting.compare.paired import PairVerdict, PairVerdicts, read_pair_verdicts
from sparsitysolver.reporting.compare.verdicts import (
    OrderClaim,
    Verdict,
    judge_order,
    not_comparable,
    order_claims,
    verdict_of,
)
from sparsitysolver.reporting.pages.markdown import markdown
from sparsitysolver.reporting.tables import settings as settings_table
from sparsitysolver.reporting.tables.entries import printed
from sparsitysolver.reporting.tables.files import curves_of, footnote_text, versions_note
from sparsitysolver.reporting.tables.removed import CAPTION, removed_frame
from sparsitysolver.reporting.tables.tables import MeasuredTable, build_table

# What follows the tables, where it was made.
SECTIONS: dict[str, Callable[[Path], str]] = {"claims.csv": claims_section, "audit.csv": audit_section}
_INTRODUCTION = """\
# The paper's tables, published and measured

Generated from collected cells; do not edit. Grid: **{grid}**.

- **reproduced**, **deviates**: within or beyond the tolerance of `config/paper/tolerances.csv`, compared as printed.
- **not comparable**: the published model or task is not on this grid, or was measured under another protocol, on
  another text, or after a shorter search.
- **not run**: no measurement on this grid.
- **inside the noise**: the {confidence:.0%} interval of a difference holds zero: over windows or items, and over seeds
  where there are several; with one seed it says nothing of how far another search or calibration would move it.
- **unequal sparsity**: the rows removed too different shares of the prunable weights, or too different numbers of
  parameters, for their difference to say something about the methods; both figures stand beside it. Where a row has a
  twin at the sparsity asked for, such as `BESA (exact)`, orders are judged on that one too.
"""


def paper_tables(results: Path, grid: str) -> str:
    """The page for the tables found in a results folder.

    Args:
        results: folder with ``cells.csv`` and the files of any of ``table1`` to ``table7``.
        grid: the grid they were measured on, as the page names it.
    """
    parts = [_INTRODUCTION.format(grid=grid, confidence=CONFIDENCE)]
    for name, title in titles().items():
        if name == settings_table.NAME:
            parts.append(_settings(title, results))
            continue
        published = load_definition(name).published
        parts.append(f"## {name.replace('table', 'Table ')}: {title}\n")
        parts.append(_section(name, published, results, grid))
    parts += [section(results / file) for file, section in SECTIONS.items() if (results / file).is_file()]
    return "\n".join(parts)


def _settings(title: str, results: Path) -> str:
    """Table 7: settings, not measurements."""
    heading, path = f"## Table 7: {title}\n", results / f"{settings_table.NAME}.csv"
    if not path.is_file():
        return f"{heading}\nNot run on this grid. Published:\n\n{markdown(settings_table.published_settings())}\n"
    used = pd.read_csv(path, dtype=str, keep_default_na=False)
    return f"{heading}\n{markdown(settings_table.settings_verdicts(used))}\n"


def _section(name: str, published: pd.DataFrame, results: Path, grid: str) -> str:
    path = results / f"{name}.csv"
    if not path.is_file():
        return _not_run(published)
    cells, _ = read_collected(results / "cells.csv")
    axes = _axes(results / f"{name}.footnotes.json", path, grid)
    table = build_table(name, cells, axes["models"], axes["tasks"], curves_of(name, results))
    pairs = read_pair_verdicts(results / f"{name}.pairs.csv")
    parts = [_beside(published, table), _local(table, grid, pairs), _extended(table), _removed(table)]
    parts += [_noise(name, table, pairs), _footnotes(table), _provenance(table, cells, grid)]
    return "\n".join(part for part in parts if part)


def _axes(sidecar: Path, path: Path, grid: str) -> Json:
    """The models and tasks of a written table; the models must be among those of the grid the page is about."""
    axes = read_json(sidecar, "table's footnotes")
    if not {"models", "tasks"} <= axes.keys():
        raise SparsitySolverError(f"{sidecar} does not name the models and tasks of {path.name}; make the table anew.")
    check_models(grid, axes["models"], path)
    return axes


def _not_run(published: pd.DataFrame) -> str:
    numbers = published.drop(columns=descriptive_columns(published)).reset_index()
    return f"Not run on this grid. Published:\n\n{markdown(numbers)}\n"


def _beside(published: pd.DataFrame, table: MeasuredTable) -> str:
    """Three lines per method: published, measured, verdict. A dash in the paper has no verdict."""
    numbers = published.drop(columns=descriptive_columns(published))
    lines, count = [], Counter()
    for row, printed_values in numbers.iterrows():
        verdicts = {c: verdict_of(table, row, c) for c, value in printed_values.items() if value != DASH}
        count.update(verdicts.values())
        lines.append({METHOD: row, "": "published"} | dict(printed_values))
        lines.append({METHOD: "", "": "measured"} | {c: _measured(table, row, c) for c in numbers})
        lines.append({METHOD: "", "": "verdict"} | {c: str(verdicts.get(c, DASH)) for c in numbers})
    summary = ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict)
    return f"{markdown(pd.DataFrame(lines))}\n\nPublished values: {summary}.\n"


def _measured(table: MeasuredTable, row: str, column: str) -> str:
    entry = table.entries.get((row, column)) if column in table.columns_of_paper else None
    return entry.text if entry else DASH


def _local(table: MeasuredTable, grid: str, pairs: PairVerdicts) -> str:
    """Models and tasks that the paper lacks, in a table of their own, with the paper's claims of order on them."""
    columns = [c.name for c in table.columns if c.name not in table.columns_of_paper]
    if not columns:
        return ""
    frame = table.frame()[[METHOD, *columns]].assign(Verdict=str(Verdict.NOT_COMPARABLE))
    claims = pd.DataFrame([_order_line(claim, table, columns, pairs) for claim in order_claims(table)])
    if not claims.empty and set(claims["Texts"]) == {DASH}:
        claims = claims.drop(columns="Texts")
    order = f"Claims of order, judged on grid {grid}; beside each the published columns that show it:"
    text = f"### Models and tasks of this grid that the paper lacks\n\n{markdown(frame)}\n"
    return f"{text}\n{order}\n\n{markdown(claims)}\n" if len(claims) else text


def _order_line(claim: OrderClaim, table: MeasuredTable, columns: Sequence[str], pairs: PairVerdicts) -> dict[str, str]:
    orders = {column: judge_order(claim, table, column, pairs) for column in columns}
    texts = dict.fromkeys(order.texts for order in orders.values() if order.texts)
    return {
        "Claim": f"{claim.better} better than {claim.worse}",
        "Published": f"{claim.support} of {claim.columns}",
        **{column: str(order) for column, order in orders.items()},
        "Texts": "; ".join(texts) or DASH,
    }


def _removed(table: MeasuredTable) -> str:
    return f"### What was removed, and tuned on which text\n\n{CAPTION}\n\n{markdown(removed_frame(table))}\n"


def _extended(table: MeasuredTable) -> str:
    if not table.definition.extended:
        return ""
    frame = table.frame(table.definition.extended)[[METHOD, *(column.name for column in table.columns)]]
    return f"### Rows the paper lacks\n\n{markdown(frame)}\n"


def _noise(name: str, table: MeasuredTable, pairs: PairVerdicts) -> str:
    """How many of the gaps between rows mean nothing."""
    unequal = sum(verdict is PairVerdict.UNEQUAL for verdict in pairs.values())
    left_out = f" Not compared for unequal sparsity: {unequal}." if unequal else ""
    compared = [verdict for verdict in pairs.values() if verdict not in (PairVerdict.NONE, PairVerdict.UNEQUAL)]
    if not compared:
        return f"Pairwise gaps: none compared, the cells hold no samples.{left_out}\n"
    inside = sum(verdict is PairVerdict.NOISE for verdict in compared)
    over = "windows" if table.columns[0].metric == PERPLEXITY_METRIC else "items"
    seeds = max(entry.seeds for entry in table.entries.values())
    also = f"and up to {seeds} seeds" if seeds > 1 else "of one seed: seeds are not in them"
    return (
        f"Pairwise gaps inside the noise: {inside} of {len(compared)} ({CONFIDENCE:.0%} intervals over paired {over} "
        f"{also}; every pair in `{name}.pairs.csv`).{left_out}\n"
    )


def _footnotes(table: MeasuredTable) -> str:
    rows = [row for row in table.definition.all_rows if not row.quantity]
    lines = [footnote_text(note) for note in table.footnotes(rows)]
    for column in table.columns_of_paper:
        differences = {not_comparable(table, row.name, column) for row in rows} - {""}
        if differences:
            lines.append(f"{column}: not the published protocol: {'; '.join(sorted(differences))}.")
    return "".join(f"- {line}\n" for line in lines)


def _provenance(table: MeasuredTable, cells: pd.DataFrame, grid: str) -> str:
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
    return f"Provenance: {line}.\n\n{_fingerprints(used, table)}\n{_leakage(used)}"


def _fingerprints(used: pd.DataFrame, table: MeasuredTable) -> str:
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
    return f"{markdown(frame.rename(columns={axis: 'Protocol of'}))}\n"


def _leakage(used: pd.DataFrame) -> str:
    parts = []
    for flag in LEAKAGE:
        leaky, unknown = (_distinct(used.loc[used[flag] == value, "method"]) for value in ("yes", UNKNOWN))
        doubt = f" (not known of {', '.join(unknown)})" if unknown else ""
        parts.append(f"{flag.replace('_', ' ')}: {', '.join(leaky) or 'none'}{doubt}")
    return f"Leakage flags: {'; '.join(parts)}.\n"


def _quoted(values: Iterable[str]) -> list[str]:
    return [f"`{text!r}`" for text in _distinct(values)]


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


def paper_tables_command(results: Path, out: Path, grid: str) -> None:
    """``sparsitysolver report paper-tables``: write ``paper_tables.md`` from a results folder."""
    write_text(out, paper_tables(results, grid))
