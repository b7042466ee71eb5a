"""What ``config/paper`` states beside the printed tables: titles, searches, other quantities, costs and labels."""

import functools
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_numbered, read_rows, read_yaml
from sparsitysolver.config.registry import MethodKey


class Title(Contract):
    """A row of ``titles.csv``: what a printed table is called."""

    table: str
    title: str


class PublishedSearch(Contract):
    """A row of ``searches.csv``: how many evaluations the paper's search for a method took."""

    method: MethodKey
    evaluations: int
    source: str


class Quantity(Contract):
    """A row of ``quantities.csv``: a row of the tables that holds another quantity than their metric."""

    row: str
    quantity: str


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


def titles() -> dict[str, str]:
    """Titles of the printed tables by name, in order."""
    return {row.table: row.title for row in read_rows(CONFIG / "paper" / "titles.csv", Title)}


@functools.cache
def published_evaluations() -> dict[str, int]:
    """How many evaluations the paper's searches took, by method."""
    return {row.method: row.evaluations for row in read_rows(CONFIG / "paper" / "searches.csv", PublishedSearch)}


def other_rows(folder: Path) -> set[str]:
    """The rows that hold another quantity than their table's metric: the paper's, and those that a folder names."""
    files = {CONFIG / "paper" / "quantities.csv", folder / "quantities.csv"}
    return {row.row for file in files if file.is_file() for row in read_rows(file, Quantity)}


def costs(path: Path) -> tuple[Cost, ...]:
    """The costs of a file; none where there is no such file."""
    return read_yaml(path, tuple[Cost, ...]) if path.is_file() else ()


def labels(path: Path) -> list[tuple[str, Label]]:
    """The labels of a file, each with its place; none where there is no such file."""
    return read_numbered(path, Label) if path.is_file() else []
