"""Options of ``strategy``, a function for each of its subcommands. Nothing here imports torch."""

import argparse
from pathlib import Path

from sparsitysolver.exchange.formats import AUTO, FORMATS, KEPT, LEVELS, REMOVED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands; ``stages/strategy.py`` has a function for each."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, add, text in (
        ("import", _import, "a strategy from another tool's file of levels or ratios"),
        ("transfer", _transfer, "a strategy of one model for another, by relative depth"),
        ("solve", _solve, "the strategy of any sparsity from a surrogate search's measured table"),
        ("export", _export, "a strategy as a table of densities"),
    ):
        add(what.add_parser(name, help=text, description=text))


def _import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="levels, a list, or a table; see docs/strategies.md")
    _model(parser)
    parser.add_argument("--granularity", required=True, help="structured or unstructured")
    parser.add_argument("--sparsity", type=float, required=True, help="what the file was made for")
    parser.add_argument("--format", default=AUTO, help=f"{', '.join(FORMATS)} (default: {AUTO})")
    parser.add_argument("--means", choices=(KEPT, REMOVED), help="what ratios are of, where the file does not say so")
    parser.add_argument("--levels", type=int, default=LEVELS, help=f"EvoPress's num_levels (default: {LEVELS})")
    parser.add_argument("--project", action="store_true", help="shift all ratios by one constant to meet the sparsity")
    _out(parser)


def _transfer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("strategy", metavar="STRATEGY", type=Path, help="strategy of another model (.json)")
    _model(parser)
    parser.add_argument("--sparsity", type=float, help="default: the strategy's target")
    _out(parser)


def _solve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", type=Path, help="x.effects.json of search --algorithm surrogate")
    parser.add_argument("--sparsity", type=float, required=True)
    _out(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("strategy", metavar="STRATEGY", type=Path, help="strategy (.json)")
    _out(parser, "table to write (.csv): name, kind, size, kept, density; strategy import reads it back")


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="dense model: hub id, local folder, or key of config/models.tsv")
    parser.add_argument("--assets", help="assets folder in place of the hub (default: SPARSITYSOLVER_ASSETS)")


def _out(parser: argparse.ArgumentParser, what: str = "strategy to write (.json)") -> None:
    parser.add_argument("--out", type=Path, required=True, help=what)
