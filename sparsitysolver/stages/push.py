"""``push``: a folder of ``prune --format hub`` to the hub."""

import argparse
from pathlib import Path

from sparsitysolver.hub.pushing import push


def run(args: argparse.Namespace) -> None:
    """Send FOLDER to OWNER/NAME and say where it is."""
    print(push(Path(args.folder), args.name, args.private, args.revision))
