"""``audit``: arithmetic checks of published tables, or of one's own. Nothing here imports torch."""

import argparse
from pathlib import Path

from sparsitysolver import CONFIG


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is audited and where the findings go."""
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        default=CONFIG / "paper",
        metavar="PATH",
        help="folder of tables, or one CSV file, in the form of config/paper (default: config/paper)",
    )
    parser.add_argument("--out", type=Path, default=Path("results/audit.csv"))
    parser.add_argument(
        "--items",
        action="append",
        default=[],
        metavar="TASK=N",
        help="items that accuracies of a task rest on, where not all (may be given several times)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")


def run(args: argparse.Namespace) -> None:
    """Write ``--out``; flagged numbers are findings, not errors: the exit status is 0 with or without them."""
    from sparsitysolver.reporting.audit.table import audit_command

    audit_command(args.path, args.out, args.items, args.json)
