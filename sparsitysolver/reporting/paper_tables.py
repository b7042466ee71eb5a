"""``paper_tables.md``: every table of the paper, published beside measured, with verdicts and provenance."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import yaml

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records import write_text
from sparsitysolver.reporting.collect import LEAKAGE, read_cells_csv
from sparsitysolver.reporting.definition import DASH, METHOD, descriptive_columns, published_table
from sparsitysolver.reporting.table_files import footnote_text
from sparsitysolver.reporting.tables import MeasuredTable, build_table, printed
from sparsitysolver.reporting.verdicts import Verdict, judge_order, order_claims, other_protocol, verdict_of

_INTRODUCTION = """\
# The paper's tables, published and measured

Generated from collected cells; do not edit. Grid: **{grid}**.

- **reproduced**, **deviates**: within or beyond the tolerance of `config/paper/tolerances.csv`, compared as printed.
- **not comparable**: the published model is not on this grid, or was measured under another protocol.
- **not run**: no measurement on this grid.
"""


def markdown(frame: pd.DataFrame) -> str:
    """A frame of texts as a markdown table: digits stay as they are, pipes are escaped, numbers stand to the right."""
    texts = frame.map(lambda value: str(value).replace("|", "\\|"))
    align = ["left", *["right"] * (len(frame.columns) - 1)]
    return texts.to_markdown(index=False, disable_numparse=True, colalign=align)


def paper_tables(results: Path, grid: str, task: str | None = None) -> str:
    """The page for the tables found in a results folder.

    Args:
        results: folder with ``cells.csv`` and any of ``table1.csv`` to ``table6.csv``.
        grid: the grid they were measured on, as the page names it.
        task: which perplexity task, where the cells hold more than one.
    """
    with (CONFIG / "paper" / "titles.csv").open(newline="") as handle:
        titles = {row["table"]: row["title"] for row in csv.DictReader(handle)}
    parts = [_INTRODUCTION.format(grid=grid)]
    for name, title in titles.items():
        published = published_table(CONFIG / "paper" / f"{name}.csv")
        parts.append(f"## {name.replace('table', 'Table ')}: {title}\n")
        parts.append(_section(name, published, results, grid, task))
    return "\n".join(parts)


def _section(name: str, published: pd.DataFrame, results: Path, grid: str, task: str | None) -> str:
    path = results / f"{name}.csv"
    if not path.is_file():
        return _not_run(published)
    cells = read_cells_csv(results / "cells.csv")
    table = build_table(name, cells, _models(path, published, grid), task)
    parts = [_beside(published, table), _local(table, grid), _extended(table)]
    parts += [_footnotes(table), _provenance(table, cells, grid)]
    return "\n".join(part for part in parts if part)


def _models(path: Path, published: pd.DataFrame, grid: str) -> list[str]:
    """The models of a written table; they must be those of the grid the page is about."""
    described = [METHOD, *descriptive_columns(published)]
    columns = [name for name in pd.read_csv(path, dtype=str, nrows=0) if name not in described]
    models = list(dict.fromkeys(name.split("@")[0] for name in columns))
    file = CONFIG / "grids" / f"{grid}.yaml"
    expected = (yaml.safe_load(file.read_text()) or {}).get("models") if file.is_file() else None
    if expected and models != expected:
        raise SparsitySolverError(
            f"{path} is not of grid '{grid}': found {', '.join(models)}; the grid has {', '.join(expected)}. "
            "Make the table anew, or name its grid."
        )
    return models


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
    entry = table.entries.get((row, column))
    return printed(entry.value) if entry else DASH


def _local(table: MeasuredTable, grid: str) -> str:
    """Models that the paper lacks, in a table of their own, and the paper's claims of order judged on them."""
    columns = [c.name for c in table.columns if c.name not in table.definition.published_columns]
    if not columns:
        return ""
    frame = table.frame()[[METHOD, *columns]].assign(Verdict=str(Verdict.NOT_COMPARABLE))
    claims = [
        {
            "Claim": f"{claim.better} better than {claim.worse}",
            "Published": f"{claim.support} of {claim.columns}",
            **{column: str(judge_order(claim, table, column)) for column in columns},
        }
        for claim in order_claims(table)
    ]
    order = f"Claims of order, judged on grid {grid}; beside each the published columns that show it:"
    text = f"### Models of this grid that the paper lacks\n\n{markdown(frame)}\n"
    return f"{text}\n{order}\n\n{markdown(pd.DataFrame(claims))}\n" if claims else text


def _extended(table: MeasuredTable) -> str:
    if not table.definition.extended:
        return ""
    frame = table.frame(table.definition.extended)[[METHOD, *(column.name for column in table.columns)]]
    return f"### Rows the paper lacks\n\n{markdown(frame)}\n"


def _footnotes(table: MeasuredTable) -> str:
    rows = (*table.definition.rows, *table.definition.extended)
    lines = [footnote_text(note) for note in table.footnotes(rows)]
    for column in table.columns:
        differences = {other_protocol(table, table.entries[row.name, column.name]) for row in rows} - {""}
        if differences and column.name in table.definition.published_columns:
            lines.append(f"{column.name}: not the published protocol: {'; '.join(sorted(differences))}.")
    return "".join(f"- {line}\n" for line in lines)


def _provenance(table: MeasuredTable, cells: pd.DataFrame, grid: str) -> str:
    """What the numbers were made with; what differs between cells is listed in full."""
    keys = {key for entry in table.entries.values() for key in entry.cells}
    used = cells[cells["cell"].isin(keys) & (cells["metric"] == table.metric)]
    items = {
        "grid": [grid],
        "task": [f"{table.columns[0].task} ({table.definition.split} split)"],
        "seeds": sorted({f"{seed:.0f}" for seed in used["seed"]}, key=int),
        "commit": _distinct(used["commit"]),
        "versions": _distinct(used["versions"]),
        "device": _distinct(used["device"]),
        "join": [f"`{text!r}`" for text in _distinct(used["join"])],
        "precision": _distinct(used["dtype"]),
    }
    line = "; ".join(f"{key}: {' | '.join(values) or 'none'}" for key, values in items.items())
    return f"Provenance: {line}.\n\n{_fingerprints(used, [c.model for c in table.columns])}\n{_leakage(used)}"


def _fingerprints(used: pd.DataFrame, models: Sequence[str]) -> str:
    columns = ["model", "fingerprint", "seqlen", "windows", "tokens", "bos", "dataset", "revision"]
    frame = used[columns].drop_duplicates().set_index("model")
    frame = frame.loc[[model for model in dict.fromkeys(models) if model in frame.index]].reset_index()
    for column in ("seqlen", "windows", "tokens"):
        frame[column] = [printed(value, 0) for value in frame[column]]
    return f"{markdown(frame.rename(columns={'model': 'Protocol of'}))}\n"


def _leakage(used: pd.DataFrame) -> str:
    flagged = {flag: _distinct(used.loc[used[flag] == "yes", "method"]) for flag in LEAKAGE}
    parts = [f"{flag.replace('_', ' ')}: {', '.join(methods) or 'none'}" for flag, methods in flagged.items()]
    return f"Leakage flags: {'; '.join(parts)}.\n"


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


def paper_tables_command(results: Path, out: Path, grid: str, task: str | None = None) -> None:
    """``sparsitysolver report paper-tables``: write ``paper_tables.md`` from a results folder."""
    write_text(out, paper_tables(results, grid, task))
