"""How far numbers may lie apart: ``config/paper/tolerances.csv``."""

import csv
import functools
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError

TOLERANCES = CONFIG / "paper" / "tolerances.csv"
ANY_METHOD = "*"


@dataclass(frozen=True)
class Tolerance:
    """How far a measured number may lie from the published one: the larger of both bounds."""

    absolute: Decimal
    relative: Decimal
    reason: str

    def allows(self, published: Decimal, measured: Decimal) -> bool:
        """Whether the deviation is within tolerance, its edge included."""
        return abs(measured - published) <= max(self.absolute, self.relative * abs(published))


@functools.cache
def tolerances(path: Path = TOLERANCES) -> dict[tuple[str, str], Tolerance]:
    """Tolerances by (metric, method); method ``*`` stands for all that have no row of their own."""
    with path.open(newline="") as handle:
        return {
            (row["metric"], row["method"]): Tolerance(Decimal(row["absolute"]), Decimal(row["relative"]), row["reason"])
            for row in csv.DictReader(handle)
        }


def tolerance(metric: str, method: str) -> Tolerance:
    """The tolerance of a metric and method, or an error that names the file to add it to."""
    table = tolerances()
    found = table.get((metric, method)) or table.get((metric, ANY_METHOD))
    if found is None:
        raise SparsitySolverError(f"no tolerance for metric '{metric}', method '{method}'; add a row to {TOLERANCES}.")
    return found
