"""Cells of one table that were made with other versions of the libraries that compute: told, not refused."""

from collections import defaultdict
from collections.abc import Iterable

# Versions of these may move a number; they are no part of a key, since an update must not evaluate everything anew.
COMPUTING = ("torch", "transformers", "tokenizers", "lm-eval", "stable-baselines3")


def differing_versions(versions: Iterable[str]) -> str:
    """What cells differ in, as ``torch 2.12.0 (3 cells) and 2.13.0 (40 cells)``; empty where they do not.

    Args:
        versions: of every cell, as ``cells.csv`` has them: ``name version; name version; …``.
    """
    counts: dict[str, dict[str, int]] = {name: defaultdict(int) for name in COMPUTING}
    for of_cell in versions:
        found = dict(part.rsplit(" ", 1) for part in of_cell.split("; ") if " " in part)
        for name in COMPUTING:
            counts[name][found.get(name, "unrecorded")] += 1
    told = [f"{name} {_counted(of)}" for name, of in counts.items() if len(of) > 1]
    return "; ".join(told)


def _counted(of: dict[str, int]) -> str:
    return " and ".join(f"{version} ({count} cell{'s' if count > 1 else ''})" for version, count in sorted(of.items()))
