"""Commands that write documents from results: ``report``, ``audit`` and ``export`` (no torch)."""

from pathlib import Path

from sparsitysolver import CONFIG
from sparsitysolver.options import REQUIRED, Command, Option, argument, option

RESULTS = Path("results")
FOLDER = option(RESULTS, "folder to write into (default: %(default)s)")
FROM = option(RESULTS, "results folder (default: %(default)s)")
GRID = option("tiny", "default: %(default)s")
CELLS = option(RESULTS / "cells_regression.csv", "collected cells (default: %(default)s)")


def _files(what: str | None = None) -> Option:
    return argument(None, what, nargs="+", type=Path)


def _out(default: Path | str) -> Option:
    return option(Path(default), "file to write (default: %(default)s)")


def _long_table(name: str, text: str, module: str = "collected.gather") -> Command:
    return Command(text, f"reporting.{module}:{name}_command", files=_files(), out=_out(RESULTS / f"{name}.csv"))


DOCUMENTS = {
    "report collect": Command(
        "cells to one long table and their samples",
        "reporting.collected.collect:collect",
        {"cells": _files("cell files"), "out": _out(RESULTS / "cells.csv")},
    ),
    "report table": Command(
        "one table in the paper's layout, as CSV, LaTeX and Markdown",
        "reporting.tables.files:table_command",
        name=argument(None, "file of config/tables, e.g. table2"),
        cells=option(RESULTS / "cells.csv", "collected cells (default: %(default)s)"),
        models=option(REQUIRED, "models of the grid, in order", nargs="+"),
        out=FOLDER,
        tasks=option([], "the grid's zero-shot tasks, in order, or its perplexity task", nargs="+"),
        grid=option("", "the grid's name, kept beside the table"),
        settings=option([], "what a run changed of the grid's protocol, kept beside the table", nargs="+"),
    ),
    "report strategies": _long_table(
        "strategies", "strategies of searches and cells to one long table, a row per unit"
    ),
    "report curves": _long_table("curves", "curves of searches to one long table, a row per episode"),
    "report inference": _long_table("inference", "records of bench inference to one table, a row per model measured"),
    "report reconstruction": _long_table(
        "reconstruction", "records of study reconstruction to one table, a row per point"
    ),
    "report arena": _long_table(
        "arena",
        "records of study arena to one table, a row per search, with curves and ranks beside it",
        "studies.arena",
    ),
    "report transfer": _long_table(
        "transfer",
        "records of study transfer to one table, a row per pair of models, and to a matrix (.md)",
        "studies.transfer",
    ),
    "report settings": Command(
        "Table 7: the agent's settings, from strategies that it found",
        "reporting.tables.settings:settings_command",
        {"strategies": _files(), "out": FOLDER},
    ),
    "report redraw": Command(
        "all tables and figures anew, from a results folder or an exported bundle",
        "reporting.bundle.redraw:redraw_command",
        results=argument(None, "folder, or BUNDLE.zip", nargs="?", type=Path, default=RESULTS),
        out=option(Path("redrawn"), "folder to write into (default: %(default)s)"),
        grid=option("", "grid of the page (default: the one kept beside the tables)"),
    ),
    "report html": Command(
        "a Markdown page or a CSV table as HTML, for report.html",
        "reporting.pages.html:html_command",
        {"source": argument(None, "page or table", type=Path), "out": option(REQUIRED, "page to write", type=Path)},
    ),
    "report paper-tables": Command(
        "published beside measured, with verdicts",
        "reporting.pages.paper_tables:paper_tables_command",
        {"results": FROM, "out": _out("paper_tables.md"), "grid": GRID},
    ),
    "report readme": Command(
        "fill the generated sections of a page (--out)",
        "reporting.pages.readme:readme_command",
        {"out": _out("README.md"), "results": FROM, "grid": GRID},
    ),
    "report claims": Command(
        "a verdict on every testable sentence of the paper",
        "reporting.claims.table:claims_command",
        {"results": FROM, "out": _out(RESULTS / "claims.csv"), "grid": GRID},
    ),
    "report self-pruner": Command(
        "accuracy lost and speed gained at Self-Pruner's published compressions",
        "reporting.studies.self_pruner:self_pruner_command",
        cells=argument(None, "collected cells", type=Path),
        inference=option(REQUIRED, "record of bench inference", type=Path),
        out=_out(RESULTS / "self_pruner.csv"),
    ),
    "report choice": Command(
        "config/auto.tsv: the best search by budget, from tables of arenas",
        "reporting.studies.arena:choice_command",
        {"files": _files("arena.csv files"), "out": _out("config/auto.tsv")},
    ),
    "report regression": Command(
        "cells against published and accepted values; status 1 if one is out",
        "reporting.regression.check:regression_command",
        cells=CELLS,
        accepted=option(None, "accepted values of the grid; without them every value is new", type=Path),
        grid=GRID,
        out=_out(RESULTS / "regression.csv"),
        models=option([], "models of the run: accepted values of others are left out", nargs="+"),
        seeds=option([], "the same for seed indices", nargs="+"),
    ),
    "report accept": Command(
        "take the values of collected cells as a grid's accepted ones",
        "reporting.regression.accepted:accept_command",
        {"cells": CELLS, "grid": GRID, "out": option(None, "default: results/accepted/GRID.csv", type=Path)},
    ),
    "report noise": Command(
        "how far the same cells lie apart in several runs, and over seeds",
        "reporting.regression.noise:noise_command",
        cells=_files("collected cells of every run"),
    ),
    "audit": Command(
        "check the arithmetic of published tables; exit status 0 whether or not it flags",
        "reporting.audit.table:audit_command",
        path=argument(
            "PATH",
            "folder of tables, or one CSV file, in the form of config/paper (default: config/paper)",
            nargs="?",
            type=Path,
            default=CONFIG / "paper",
        ),
        out=_out(RESULTS / "audit.csv"),
        items=option(
            [], "items that accuracies of a task rest on, where not all (may be given several times)", metavar="TASK=N"
        ),
        json=option(False, "print one JSON object on the last line"),
    ),
    "export": Command(
        "pack results, provenance and configuration into one file (no torch)",
        "reporting.bundle.export:export_command",
        {"bundle": argument("BUNDLE.zip", "file to write", type=Path), "results": FROM},
    ),
}
