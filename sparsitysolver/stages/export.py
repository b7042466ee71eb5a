"""``export``: pack results, provenance and configuration into one file. Nothing here imports torch."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to pack and where to."""
    parser.add_argument("bundle", metavar="BUNDLE.zip", type=Path, help="file to write")
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: results)")


def run(args: argparse.Namespace) -> None:
    """Write the bundle."""
    from sparsitysolver.reporting.bundle.export import export_command

    export_command(args.bundle, args.results)
