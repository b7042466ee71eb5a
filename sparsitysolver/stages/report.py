"""``report``: collect cells, write tables and documents. Nothing here imports torch."""

import argparse
from pathlib import Path

RESULTS = Path("results")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The documents that ``report`` writes."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    collect = what.add_parser("collect", help="cells to one long table and their samples")
    collect.add_argument("cells", nargs="+", type=Path, help="cell files")
    collect.add_argument("--out", type=Path, default=RESULTS / "cells.csv")
    table = what.add_parser("table", help="one table in the paper's layout, as CSV and LaTeX")
    table.add_argument("name", help="file of config/tables, e.g. table2")
    table.add_argument("--cells", type=Path, default=RESULTS / "cells.csv")
    table.add_argument("--models", nargs="+", required=True, help="models of the grid, in order")
    table.add_argument(
        "--tasks", nargs="+", default=[], help="the grid's zero-shot tasks, in order, or its perplexity task"
    )
    table.add_argument("--out", type=Path, default=RESULTS, help="folder to write into")
    for name, out, text in (
        ("paper-tables", Path("paper_tables.md"), "published beside measured, with verdicts"),
        ("readme", Path("README.md"), "fill the generated sections of the README"),
        ("claims", RESULTS / "claims.csv", "a verdict on every testable sentence of the paper"),
    ):
        page = what.add_parser(name, help=text)
        page.add_argument("--results", type=Path, default=RESULTS)
        page.add_argument("--grid", default="tiny")
        page.add_argument("--out", type=Path, default=out)


def run(args: argparse.Namespace) -> None:
    """Write the document asked for."""
    if args.what == "collect":
        from sparsitysolver.reporting.collect import collect_command

        collect_command(args.cells, args.out)
    elif args.what == "table":
        from sparsitysolver.reporting.table_files import table_command

        table_command(args.name, args.cells, args.models, args.out, args.tasks)
    elif args.what == "paper-tables":
        from sparsitysolver.reporting.paper_tables import paper_tables_command

        paper_tables_command(args.results, args.out, args.grid)
    elif args.what == "claims":
        from sparsitysolver.reporting.claims import claims_command

        claims_command(args.results, args.out, args.grid)
    else:
        from sparsitysolver.reporting.readme import readme_command

        readme_command(args.out, args.results, args.grid)
