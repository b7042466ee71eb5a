"""Commands that write documents from results: ``report``, ``audit`` and ``export`` (no torch)."""

from pathlib import Path

from sparsitysolver import CONFIG
from sparsitysolver.options import REQUIRED, Command, Options, argument, option, options

RESULTS = Path("results")


def _files(what: str | None = None, metavar: str | None = None) -> Options:
    return options(files=argument(metavar, what, nargs="+", type=Path))


def _out(default: Path | str, what: str = "default: %(default)s") -> Options:
    return options(out=option(Path(default), what))


def _long_table(text: str, room: str, name: str) -> Command:
    return Command(text, f"reporting.{room}.{name}:{name}_command", _files() | _out(RESULTS / f"{name}.csv"))


_FOLDER = _out(RESULTS, "folder to write into (default: %(default)s)")
_RESULTS = options(results=option(RESULTS, "results folder (default: %(default)s)"))
_GRID = options(grid=option("tiny", "default: %(default)s"))
_REGRESSION = options(cells=option(RESULTS / "cells_regression.csv", "collected cells (default: %(default)s)"))

REPORTS = {
    "collect": Command(
        "cells to one long table and their samples",
        "reporting.collected.collect:collect_command",
        _files("cell files", "cells") | _out(RESULTS / "cells.csv"),
    ),
    "table": Command(
        "one table in the paper's layout, as CSV, LaTeX and Markdown",
        "reporting.tables.files:table_command",
        options(
            name=argument("name", "file of config/tables, e.g. table2"),
            cells=option(RESULTS / "cells.csv", "collected cells (default: %(default)s)"),
            models=option(REQUIRED, "models of the grid, in order", nargs="+"),
            **_FOLDER,
            tasks=option([], "the grid's zero-shot tasks, in order, or its perplexity task", nargs="+"),
            grid=option("", "the grid's name, kept beside the table"),
        ),
    ),
    "strategies": _long_table(
        "strategies of searches and cells to one long table, a row per unit", "collected", "strategies"
    ),
    "curves": _long_table("curves of searches to one long table, a row per episode", "collected", "curves"),
    "inference": _long_table(
        "records of bench inference to one table, a row per model measured", "collected", "inference"
    ),
    "reconstruction": _long_table(
        "records of study reconstruction to one table, a row per point", "collected", "reconstruction"
    ),
    "arena": _long_table(
        "records of study arena to one table, a row per search, with curves and ranks beside it", "studies", "arena"
    ),
    "transfer": _long_table(
        "records of study transfer to one table, a row per pair of models, and to a matrix (.md)", "studies", "transfer"
    ),
    "settings": Command(
        "Table 7: the agent's settings, from strategies that it found",
        "reporting.tables.settings:settings_command",
        _files("strategies", "strategies") | _FOLDER,
    ),
    "redraw": Command(
        "all tables and figures anew, from a results folder or an exported bundle",
        "reporting.bundle.redraw:redraw_command",
        options(
            results=argument("results", "folder, or BUNDLE.zip", nargs="?", type=Path, default=RESULTS),
            **_out("redrawn", "folder to write into (default: %(default)s)"),
            grid=option("", "grid of the page (default: the one kept beside the tables)"),
        ),
    ),
    "html": Command(
        "a Markdown page or a CSV table as HTML, for report.html",
        "reporting.pages.html:html_command",
        options(source=argument("source", None, type=Path), out=option(REQUIRED, "page to write", type=Path)),
    ),
    "paper-tables": Command(
        "published beside measured, with verdicts",
        "reporting.pages.paper_tables:paper_tables_command",
        _RESULTS | _out("paper_tables.md") | _GRID,
    ),
    "readme": Command(
        "fill the generated sections of a page (--out)",
        "reporting.pages.readme:readme_command",
        _out("README.md") | _RESULTS | _GRID,
    ),
    "claims": Command(
        "a verdict on every testable sentence of the paper",
        "reporting.claims.table:claims_command",
        _RESULTS | _out(RESULTS / "claims.csv") | _GRID,
    ),
    "self-pruner": Command(
        "accuracy lost and speed gained at Self-Pruner's published compressions",
        "reporting.studies.self_pruner:self_pruner_command",
        options(
            cells=argument("cells", "collected cells", type=Path),
            inference=option(REQUIRED, "record of bench inference", type=Path),
            **_out(RESULTS / "self_pruner.csv"),
        ),
    ),
    "choice": Command(
        "config/auto.tsv: the best search by budget, from tables of arenas",
        "reporting.studies.auto:choice_command",
        _files("arena.csv files") | _out("config/auto.tsv"),
    ),
    "regression": Command(
        "cells against published and accepted values; status 1 if one is out",
        "reporting.regression.files:regression_command",
        options(
            **_REGRESSION,
            accepted=option(None, "accepted values of the grid; without them every value is new", type=Path),
            **_GRID,
            **_out(RESULTS / "regression.csv"),
            models=option([], "models of the run: accepted values of others are left out", nargs="+"),
            seeds=option([], "the same for seed indices", nargs="+"),
        ),
    ),
    "accept": Command(
        "take the values of collected cells as a grid's accepted ones",
        "reporting.regression.accepted:accept_command",
        _REGRESSION | _GRID | options(out=option(None, "default: results/accepted/GRID.csv", type=Path)),
    ),
    "noise": Command(
        "how far the same cells lie apart in several runs, and over seeds",
        "reporting.regression.noise:noise_command",
        _files("collected cells of every run", "cells"),
    ),
}

DOCUMENTS = {
    "audit": Command(
        "check the arithmetic of published tables; exit status 0 whether or not it flags",
        "reporting.audit.table:audit_command",
        options(
            path=argument(
                "PATH",
                "folder of tables, or one CSV file, in the form of config/paper (default: config/paper)",
                nargs="?",
                type=Path,
                default=CONFIG / "paper",
            ),
            **_out(RESULTS / "audit.csv"),
            items=option(
                [],
                "items that accuracies of a task rest on, where not all (may be given several times)",
                metavar="TASK=N",
            ),
            json=option(False, "print one JSON object on the last line"),
        ),
    ),
    "export": Command(
        "pack results, provenance and configuration into one file (no torch)",
        "reporting.bundle.export:export_command",
        options(bundle=argument("BUNDLE.zip", "file to write", type=Path), **_RESULTS),
    ),
}
