"""What a table is made of: ``config/tables/NAME.yaml`` and the published table it is read beside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.records import Json
from sparsitysolver.registry import method, models_table, tasks_table

ASTERISK = "Reproduced"
METHOD = "Method"
DASH = "-"
PERPLEXITY = "perplexity"
LAYOUTS = ("models", "models@sparsity")
_KEYS = ("title", "published", "columns", "task", "split", "sparsity", "rows")


@dataclass(frozen=True)
class Row:
    """A row of a table: its printed name, the method behind it, and descriptive columns where the paper has no row."""

    name: str
    method: str
    marks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A number column: its printed name and the axes of the cells in it."""

    name: str
    model: str
    sparsity: float
    task: str


@dataclass(frozen=True)
class Definition:
    """A table as defined in ``config/tables``.

    Attributes:
        name: the file's stem.
        title: caption.
        published: the published table as printed, all text.
        protocol: axes (task, split, seqlen) under which the published numbers were measured.
        layout: one of ``LAYOUTS``.
        task: a task key, or ``perplexity`` for the grid's own perplexity task.
        split: the split reported.
        sparsities: target sparsities; more than one only where columns carry them.
        rows: the paper's rows.
        extended: rows the paper lacks.
    """

    name: str
    title: str
    published: pd.DataFrame
    protocol: Json
    layout: str
    task: str
    split: str
    sparsities: tuple[float, ...]
    rows: tuple[Row, ...]
    extended: tuple[Row, ...]

    @property
    def marks(self) -> list[str]:
        """The paper's descriptive columns."""
        return descriptive_columns(self.published)

    @property
    def published_columns(self) -> list[str]:
        """The paper's number columns."""
        return [name for name in self.published if name not in self.marks]

    def columns(self, models: Sequence[str], task: str) -> list[Column]:
        """The number columns for the models of a grid, in grid order, sparsity by sparsity as the paper has it."""
        named = self.layout == "models@sparsity"
        return [
            Column(f"{model}@{sparsity:g}" if named else model, model, sparsity, task)
            for sparsity in self.sparsities
            for model in models
        ]


def published_table(path: Path) -> pd.DataFrame:
    """A published table as printed: all text (34.10 stays 34.10), indexed by method.

    The paper's asterisk (it ran that method itself) describes the paper, not the method, and is left out.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index(METHOD)
        return table.drop(columns=ASTERISK, errors="ignore")
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no published table at {path}.") from error


def descriptive_columns(published: pd.DataFrame) -> list[str]:
    """Columns of a published table that describe a method; all others are models, model@sparsity or tasks."""
    numbers = models_table().keys() | tasks_table().keys() | {"average"}
    return [name for name in published if name.split("@")[0] not in numbers]


def load_definition(name: str, config: Path = CONFIG) -> Definition:
    """Read and check ``config/tables/NAME.yaml``.

    Raises:
        SparsitySolverError: no such table, a missing key, a layout, method or published row that does not exist.
    """
    path = config / "tables" / f"{name}.yaml"
    if not path.is_file():
        raise unknown_name("table", name, (file.stem for file in (config / "tables").glob("*.yaml")))
    fields = yaml.safe_load(path.read_text())
    missing = [key for key in _KEYS if key not in fields]
    if missing:
        raise SparsitySolverError(f"{path}: '{missing[0]}' is missing; a table needs {', '.join(_KEYS)}.")
    if fields["columns"] not in LAYOUTS:
        raise unknown_name(f"columns (in {path})", str(fields["columns"]), LAYOUTS)
    sparsity = fields["sparsity"]
    definition = Definition(
        name=name,
        title=fields["title"],
        published=published_table(config / fields["published"]),
        protocol=fields.get("published_protocol", {}),
        layout=fields["columns"],
        task=fields["task"],
        split=fields["split"],
        sparsities=tuple(float(value) for value in (sparsity if isinstance(sparsity, list) else [sparsity])),
        rows=_rows(fields["rows"]),
        extended=_rows(fields.get("extended") or []),
    )
    _check(definition, path)
    return definition


def _rows(fields: list[dict[str, Any]]) -> tuple[Row, ...]:
    return tuple(Row(row["name"], row["method"], row.get("marks", {})) for row in fields)


def _check(definition: Definition, path: Path) -> None:
    for row in (*definition.rows, *definition.extended):
        method(row.method)
    for row in definition.rows:
        if row.name not in definition.published.index:
            raise unknown_name(f"row of the published table (in {path})", row.name, definition.published.index)
    if definition.layout == "models" and len(definition.sparsities) > 1:
        raise SparsitySolverError(
            f"{path}: columns 'models' take one sparsity, found {len(definition.sparsities)}; use 'models@sparsity'."
        )
