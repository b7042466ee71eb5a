"""``config/arena.yaml``: which searches meet, on which problems, and how they are judged (no torch)."""

import functools
from pathlib import Path
from typing import Any

import yaml

from sparsitysolver import CONFIG


@functools.cache
def definition() -> dict[str, Any]:
    """The whole file."""
    return yaml.safe_load((CONFIG / "arena.yaml").read_text())


def entrant_of(strategy: str | Path) -> str:
    """The entrant whose strategy lies at a path: the folder's name."""
    return Path(strategy).absolute().parent.name
