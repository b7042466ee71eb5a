"""What a search held for best after a part of its budget, read from its curve (no torch)."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import Unit, budget, kept_weights


@dataclass(frozen=True)
class Evaluated:
    """One row of a curve: what was scored, on how many tokens, and what it earned."""

    kept: list[int]
    tokens: int
    reward: float


def read_curve(path: Path) -> list[Evaluated]:
    """The rows of a curve file.

    Raises:
        SparsitySolverError: no such file, or not a curve.
    """
    try:
        with path.open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        return [Evaluated(json.loads(row["kept"]), int(row["tokens"]), float(row["reward"])) for row in rows]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise SparsitySolverError(f"{path} is not the curve of a search: {error}.") from error


def anytime(
    curve: Sequence[Evaluated], units: Sequence[Unit], sparsity: float, marks: Sequence[float]
) -> list[list[int] | None]:
    """The best candidate so far at each mark, a number of tokens spent; None before the first that meets the budget.

    Best is what was scored on most tokens, and among those what earned most: the order that a search chooses by.
    Candidates above the weight budget were scored to learn from them and are no candidates.
    """
    room, spent, best = budget(units, sparsity), 0, None
    found: list[list[int] | None] = []
    rows = iter([*curve, None])
    row = next(rows)
    for mark in marks:
        while row is not None and spent + row.tokens <= mark:
            spent += row.tokens
            if kept_weights(units, row.kept) <= room and (best is None or _rank(row) > _rank(best)):
                best = row
            row = next(rows)
        found.append(best.kept if best else None)
    return found


def _rank(row: Evaluated) -> tuple[int, float]:
    return row.tokens, row.reward
