"""How far numbers may lie apart, from published ones and from accepted ones: ``tolerances.csv`` (no torch)."""

import functools
from decimal import Decimal
from typing import Literal

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_rows
from sparsitysolver.errors import SparsitySolverError

PUBLISHED, ACCEPTED = CONFIG / "paper" / "tolerances.csv", CONFIG / "regression" / "tolerances.csv"
ANY_METHOD = "*"


class Tolerance(Contract):
    """How far a measured number may lie from another one: the larger of both bounds."""

    absolute: Decimal
    relative: Decimal
    reason: str

    def allows(self, other: Decimal, measured: Decimal) -> bool:
        """Whether the deviation is within tolerance, its edge included."""
        return abs(measured - other) <= self.bound(other)

    def bound(self, other: Decimal) -> Decimal:
        """The allowed deviation from a number."""
        return max(self.absolute, self.relative * abs(other))


class PublishedTolerance(Tolerance):
    """A row of ``config/paper``; method ``*`` stands for all that have no row of their own."""

    metric: str
    method: str


class AcceptedTolerance(Tolerance):
    """A row of ``config/regression``: by what a cell's noise depends on, and whether the machine is the same."""

    metric: str
    kind: Literal["dense", "pruned", "searched"]
    machine: Literal["same", "other"]


@functools.cache
def published_tolerances() -> dict[tuple[str, str], Tolerance]:
    """Tolerances of published values by metric and method."""
    return {(row.metric, row.method): row for row in read_rows(PUBLISHED, PublishedTolerance)}


@functools.cache
def accepted_tolerances() -> dict[tuple[str, str, str], Tolerance]:
    """Tolerances of accepted values by metric, kind of cell and machine."""
    return {(row.metric, row.kind, row.machine): row for row in read_rows(ACCEPTED, AcceptedTolerance)}


def tolerance(metric: str, method: str) -> Tolerance:
    """The tolerance of a metric and method, or an error that names the file to add it to."""
    table = published_tolerances()
    found = table.get((metric, method)) or table.get((metric, ANY_METHOD))
    if found is None:
        raise SparsitySolverError(f"no tolerance for metric '{metric}', method '{method}'; add a row to {PUBLISHED}.")
    return found


def accepted_tolerance(metric: str, kind: str, machine: str) -> Tolerance:
    """The tolerance of an accepted value, or an error that names the file to add it to."""
    axes = metric, kind, machine
    if axes not in accepted_tolerances():
        raise SparsitySolverError(f"no tolerance for metric, kind, machine {', '.join(axes)}; add a row to {ACCEPTED}.")
    return accepted_tolerances()[axes]
