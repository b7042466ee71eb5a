"""``report``: collect cells, write tables and documents, draw them anew. Nothing here imports torch."""

import argparse
import importlib
from pathlib import Path

RESULTS = Path("results")
_LONG_TABLES = {
    "strategies": "strategies of searches and cells to one long table, a row per unit",
    "curves": "curves of searches to one long table, a row per episode",
    "inference": "records of bench inference to one table, a row per model measured",
    "reconstruction": "records of study reconstruction to one table, a row per point",
    "arena": "records of study arena to one table, a row per search, with curves and ranks beside it",
    "transfer": "records of study transfer to one table, a row per pair of models, and to a matrix (.md)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The documents that ``report`` writes."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    collect = what.add_parser("collect", help="cells to one long table and their samples")
    collect.add_argument("cells", nargs="+", type=Path, help="cell files")
    collect.add_argument("--out", type=Path, default=RESULTS / "cells.csv")
    table = what.add_parser("table", help="one table in the paper's layout, as CSV, LaTeX and Markdown")
    table.add_argument("name", help="file of config/tables, e.g. table2")
    table.add_argument("--cells", type=Path, default=RESULTS / "cells.csv")
    table.add_argument("--models", nargs="+", required=True, help="models of the grid, in order")
    table.add_argument(
        "--tasks", nargs="+", default=[], help="the grid's zero-shot tasks, in order, or its perplexity task"
    )
    table.add_argument("--grid", default="", help="the grid's name, kept beside the table")
    table.add_argument("--out", type=Path, default=RESULTS, help="folder to write into")
    for kind, text in _LONG_TABLES.items():
        gather = what.add_parser(kind, help=text)
        gather.add_argument("files", nargs="+", type=Path)
        gather.add_argument("--out", type=Path, default=RESULTS / f"{kind}.csv")
    settings = what.add_parser("settings", help="Table 7: the agent's settings, from strategies that it found")
    settings.add_argument("strategies", nargs="+", type=Path)
    settings.add_argument("--out", type=Path, default=RESULTS, help="folder to write into")
    redraw = what.add_parser("redraw", help="all tables and figures anew, from a results folder or an exported bundle")
    redraw.add_argument("results", nargs="?", type=Path, default=RESULTS, help="folder, or BUNDLE.zip")
    redraw.add_argument("--grid", default="", help="grid of the page (default: the one kept beside the tables)")
    redraw.add_argument("--out", type=Path, default=Path("redrawn"), help="folder to write into")
    page = what.add_parser("html", help="a Markdown page or a CSV table as HTML, for report.html")
    page.add_argument("source", type=Path)
    page.add_argument("--out", type=Path, required=True)
    for name, out, text in (
        ("paper-tables", Path("paper_tables.md"), "published beside measured, with verdicts"),
        ("readme", Path("README.md"), "fill the generated sections of a page (--out)"),
        ("claims", RESULTS / "claims.csv", "a verdict on every testable sentence of the paper"),
    ):
        page = what.add_parser(name, help=text)
        page.add_argument("--results", type=Path, default=RESULTS)
        page.add_argument("--grid", default="tiny")
        page.add_argument("--out", type=Path, default=out)
    own = what.add_parser("self-pruner", help="accuracy lost and speed gained at Self-Pruner's published compressions")
    own.add_argument("cells", type=Path, help="collected cells")
    own.add_argument("--inference", type=Path, required=True, help="record of bench inference")
    own.add_argument("--out", type=Path, default=RESULTS / "self_pruner.csv")
    choice = what.add_parser("choice", help="config/auto.tsv: the best search by budget, from tables of arenas")
    choice.add_argument("files", nargs="+", type=Path, help="arena.csv files")
    choice.add_argument("--out", type=Path, default=Path("config/auto.tsv"))
    _regression_arguments(what)


def _regression_arguments(what: argparse._SubParsersAction) -> None:
    check = what.add_parser("regression", help="cells against published and accepted values; status 1 if one is out")
    accept = what.add_parser("accept", help="take the values of collected cells as a grid's accepted ones")
    for page in (check, accept):
        page.add_argument("--cells", type=Path, default=RESULTS / "cells_regression.csv")
        page.add_argument("--grid", default="tiny")
    check.add_argument("--accepted", type=Path, help="accepted values of the grid; without them every value is new")
    check.add_argument(
        "--models", nargs="+", default=[], help="models of the run: accepted values of others are left out"
    )
    check.add_argument("--seeds", nargs="+", default=[], help="the same for seed indices")
    check.add_argument("--out", type=Path, default=RESULTS / "regression.csv")
    accept.add_argument("--out", type=Path, help="default: results/accepted/GRID.csv")
    noise = what.add_parser("noise", help="how far the same cells lie apart in several runs, and over seeds")
    noise.add_argument("cells", nargs="+", type=Path, help="collected cells of every run")


def run(args: argparse.Namespace) -> int | None:
    """Write the document asked for; a check returns its exit status."""
    if args.what == "collect":
        from sparsitysolver.reporting.collected.collect import collect_command

        collect_command(args.cells, args.out)
    elif args.what in _LONG_TABLES:
        room = "studies" if args.what in ("arena", "transfer") else "collected"
        module = importlib.import_module(f"sparsitysolver.reporting.{room}.{args.what}")
        getattr(module, f"{args.what}_command")(args.files, args.out)
    elif args.what == "table":
        from sparsitysolver.reporting.tables.files import table_command

        table_command(args.name, args.cells, args.models, args.out, args.tasks, args.grid)
    elif args.what == "settings":
        from sparsitysolver.reporting.tables.settings import settings_command

        settings_command(args.strategies, args.out)
    elif args.what == "html":
        from sparsitysolver.reporting.pages.html import html_command

        html_command(args.source, args.out)
    elif args.what == "redraw":
        from sparsitysolver.reporting.bundle.redraw import redraw_command

        redraw_command(args.results, args.out, args.grid)
    elif args.what == "paper-tables":
        from sparsitysolver.reporting.pages.paper_tables import paper_tables_command

        paper_tables_command(args.results, args.out, args.grid)
    elif args.what == "claims":
        from sparsitysolver.reporting.claims.table import claims_command

        claims_command(args.results, args.out, args.grid)
    elif args.what == "regression":
        from sparsitysolver.reporting.regression.files import regression_command

        return regression_command(args.cells, args.accepted, args.grid, args.out, args.models, args.seeds)
    elif args.what == "accept":
        from sparsitysolver.reporting.regression.accepted import accept_command

        accept_command(args.cells, args.grid, args.out or RESULTS / "accepted" / f"{args.grid}.csv")
    elif args.what == "self-pruner":
        from sparsitysolver.reporting.studies.self_pruner import self_pruner_command

        self_pruner_command(args.cells, args.inference, args.out)
    elif args.what == "choice":
        from sparsitysolver.reporting.studies.auto import choice_command

        choice_command(args.files, args.out)
    elif args.what == "noise":
        from sparsitysolver.reporting.regression.noise import noise_command

        noise_command(args.cells)
    else:
        from sparsitysolver.reporting.pages.readme import readme_command

        readme_command(args.out, args.results, args.grid)
    return None
