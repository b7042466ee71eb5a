"""What ``config/paper`` states beside the printed tables; how far numbers may lie from them, and from accepted ones."""

import functools
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import Field, create_model, model_validator

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, keyed, read_numbered, read_rows, read_yaml
from sparsitysolver.config.registry import MethodKey
from sparsitysolver.errors import SparsitySolverError

PAPER, REGRESSION = CONFIG / "paper", CONFIG / "regression"
ANY_METHOD = "*"

# Rows of what a printed table is called, of how many evaluations the paper's search for a method took, and of what a
# row of the tables holds that is not their metric.
Title = create_model("Title", __base__=Contract, table=str, title=str)
PublishedSearch = create_model("PublishedSearch", __base__=Contract, method=MethodKey, evaluations=int, source=str)
Quantity = create_model("Quantity", __base__=Contract, row=str, quantity=str)


class Label(Contract):
    """A row of ``labels.csv``: a sparsity label of a table, and the parameters stated for it.

    A ``width`` is that of SliceGPT's residual stream, ``weights`` are a share of the prunable ones.
    """

    table: str
    method: str
    model: str  # ``*`` for every model column in which the method has a number
    measure: Literal["width", "weights"]
    label: str
    tolerance: str  # of the label, in points
    stated: str = ""  # such as 6.1B
    source: str


class CostInput(Contract):
    """A number that a cost is made of: a cell of its column by ``row``, or a ``value`` with its ``source``."""

    row: str = ""
    value: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> "CostInput":
        if self.model_fields_set not in ({"row"}, {"value", "source"}):
            raise ValueError("needs 'row' (of the table), or 'value' and 'source'")
        return self


class Cost(Contract):
    """An entry of ``costs.yaml``: a cost that the paper states, or that follows from what it prints."""

    table: str
    method: str
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    quantity: str
    inputs: Annotated[dict[str, CostInput], Field(min_length=1)]
    formula: str
    source: str
    stated: str = ""  # as printed; without it the cost is computed and never flagged
    relation: Literal["equals", "at most", "at least"] = "equals"
    tolerance: str = ""  # half a unit of the last printed digit


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


# Of published values, where method ``*`` stands for all that have no row of their own; and of accepted ones, by what a
# cell's noise depends on, and whether the machine is the same.
PublishedTolerance = create_model("PublishedTolerance", __base__=Tolerance, metric=str, method=str)
AcceptedTolerance = create_model(
    "AcceptedTolerance",
    __base__=Tolerance,
    metric=str,
    kind=Literal["dense", "pruned", "searched"],
    machine=Literal["same", "other"],
)


class WatchedCell(Contract):
    """An entry of ``config/regression/cells.yaml``: method and sparsity, the dense model without sparsity."""

    method: MethodKey
    sparsity: float | None = None

    @model_validator(mode="after")
    def _only_dense_has_none(self) -> "WatchedCell":
        if (self.method == "dense") != (self.sparsity is None):
            raise ValueError("every method but dense needs a sparsity")
        return self


WatchedCells = create_model("WatchedCells", __base__=Contract, cells=tuple[WatchedCell, ...])


def titles() -> dict[str, str]:
    """Titles of the printed tables by name, in order."""
    return {row.table: row.title for row in read_rows(PAPER / "titles.csv", Title)}


def published_evaluations() -> dict[str, int]:
    """How many evaluations the paper's searches took, by method."""
    return {row.method: row.evaluations for row in read_rows(PAPER / "searches.csv", PublishedSearch)}


def other_rows(folder: Path) -> set[str]:
    """The rows that hold another quantity than their table's metric: the paper's, and those that a folder names."""
    files = {PAPER / "quantities.csv", folder / "quantities.csv"}
    return {row.row for file in files if file.is_file() for row in read_rows(file, Quantity)}


def costs(path: Path) -> tuple[Cost, ...]:
    """The costs of a file; none where there is no such file."""
    return read_yaml(path, tuple[Cost, ...]) if path.is_file() else ()


def labels(path: Path) -> list[tuple[str, Label]]:
    """The labels of a file, each with its place; none where there is no such file."""
    return read_numbered(path, Label) if path.is_file() else []


def watched_cells() -> tuple[WatchedCell, ...]:
    """The cells of every model that are watched for regressions."""
    return read_yaml(REGRESSION / "cells.yaml", WatchedCells).cells


published_tolerances = functools.partial(keyed, PAPER / "tolerances.csv", PublishedTolerance, "metric", "method")
accepted_tolerances = functools.partial(
    keyed, REGRESSION / "tolerances.csv", AcceptedTolerance, "metric", "kind", "machine"
)


def tolerance(metric: str, method: str) -> Tolerance:
    """The tolerance of a metric and method, or an error that names the file to add it to."""
    table = published_tolerances()
    found = table.get((metric, method)) or table.get((metric, ANY_METHOD))
    return found or _lacking(f"metric '{metric}', method '{method}'", PAPER)


def accepted_tolerance(*axes: str) -> Tolerance:
    """The tolerance of an accepted value by metric, kind and machine, or an error that names the file to add it to."""
    return accepted_tolerances().get(axes) or _lacking(f"metric, kind, machine {', '.join(axes)}", REGRESSION)


def _lacking(what: str, folder: Path) -> NoReturn:
    raise SparsitySolverError(f"no tolerance for {what}; add a row to {folder}/tolerances.csv.")
