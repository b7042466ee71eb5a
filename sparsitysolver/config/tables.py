"""What a table is made of: ``config/tables/NAME.yaml`` and the published table it is read beside."""

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, Numbers, read_lines, read_yaml
from sparsitysolver.config.registry import AVERAGE, MethodKey, is_zero_shot, metric_of, models_table, tasks_table
from sparsitysolver.errors import SparsitySolverError, known

if TYPE_CHECKING:
    import pandas as pd

ASTERISK = "Reproduced"  # the paper ran that method itself: that describes the paper, not the method, and is left out
METHOD = "Method"
DENSE = "dense"
DASH = "-"
TASKS = "tasks"  # one model; a column per zero-shot task, and their average


class Row(Contract):
    """A row of a table: its printed name, the method behind it, and descriptive columns where the paper has no row.

    A row with a ``quantity`` shows that of the method's search (at a ``sparsity`` of its own, if given) and no metric.
    A row that is ``equal_of`` another method is that one brought to the sparsity or size asked for.
    """

    name: str
    method: MethodKey
    marks: dict[str, str] = {}
    quantity: str = ""
    sparsity: float | None = None
    equal_of: MethodKey = ""


@dataclass(frozen=True)
class Column:
    """A number column; the average over tasks has ``AVERAGE`` for its task and metric: no cell holds it."""

    name: str
    model: str
    sparsity: float
    task: str
    metric: str


class Definition(Contract):
    """A table as defined in ``config/tables``.

    ``protocol`` holds the axes under which the published numbers were measured, where columns are tasks with the one
    model they were measured on. ``extended`` are the rows that the paper lacks.
    """

    folder: Path = Field(CONFIG, exclude=True)  # of the configuration
    name: str = Field("", exclude=True)  # the file's stem
    title: str
    published_file: Path = Field(alias="published")
    protocol: dict[Literal["task", "split", "seqlen", "items", "published_model", "bos"], int | str] = Field(
        {}, alias="published_protocol"
    )
    layout: Literal["models", "models@sparsity", "tasks"] = Field(alias="columns")
    task: str  # a task key; ``perplexity`` or ``zero_shot`` for the grid's own
    split: str
    sparsities: Numbers = Field(alias="sparsity")
    rows: tuple[Row, ...]
    extended: tuple[Row, ...] = ()

    @functools.cached_property
    def published(self) -> "pd.DataFrame":
        """The published table as printed: all text (34.10 stays 34.10), indexed by method."""
        import pandas as pd  # most commands need none

        return pd.DataFrame(self.printed).set_index(METHOD).drop(columns=ASTERISK, errors="ignore")

    @functools.cached_property
    def printed(self) -> list[dict[str, str]]:
        """The lines of the published table."""
        return [cells for _, cells in read_lines(self.folder / self.published_file, METHOD)[1]]

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """The paper's rows and those it lacks."""
        return (*self.rows, *self.extended)

    @property
    def measured_rows(self) -> tuple[Row, ...]:
        """The paper's rows that show the table's metric."""
        return tuple(row for row in self.rows if not row.quantity)

    @property
    def compared_rows(self) -> tuple[Row, ...]:
        """The paper's rows that are compared with one another: a comparison with the dense model says nothing."""
        return tuple(row for row in self.measured_rows if row.method != DENSE)

    @property
    def dense_row(self) -> Row | None:
        """The paper's row of the dense model."""
        return next((row for row in self.measured_rows if row.method == DENSE), None)

    def twin(self, name: str) -> Row | None:
        """The row that stands for a row of the paper at the sparsity asked for; None where it has none."""
        methods = {row.name: row.method for row in self.compared_rows}
        return next((row for row in self.extended if row.equal_of and row.equal_of == methods.get(name)), None)

    def better_than_dense(self, row: Row) -> tuple[str, ...]:
        """The columns in which the paper prints a better value for a row than for its dense model."""
        if self.dense_row is None:
            return ()
        own, dense = (self.published.loc[name, self.published_columns] for name in (row.name, self.dense_row.name))
        both = own.index[(own != DASH) & (dense != DASH)]
        return tuple(column for column in both if self.is_better(float(own[column]), float(dense[column])))

    def is_better(self, a: float, b: float) -> bool:
        """Whether a number of this table is better than another."""
        return a > b if self.layout == TASKS else a < b

    @property
    def marks(self) -> list[str]:
        """The paper's descriptive columns."""
        return descriptive_columns(self.published)

    @property
    def published_columns(self) -> list[str]:
        """The paper's number columns."""
        return [name for name in self.published if name not in self.marks]

    @property
    def published_tasks(self) -> list[str]:
        """The paper's task columns, without their average; none where columns are models."""
        return [name for name in self.published_columns if name != AVERAGE] if self.layout == TASKS else []

    def columns(self, models: Sequence[str], tasks: Sequence[str]) -> list[Column]:
        """The number columns for the models and tasks of a grid, in grid order; refuses what the layout cannot show.

        Models as columns: one perplexity task, sparsity by sparsity as the paper has it. Tasks as columns: one model,
        its zero-shot tasks, then their average.
        """
        name, found = self.name, ", ".join(tasks) or "none"
        if self.layout != TASKS:
            if len(tasks) != 1 or is_zero_shot(tasks[0]):
                raise SparsitySolverError(f"{name} shows one perplexity task; found {found}. Name it with --tasks.")
            title = "{}@{:g}" if self.layout == "models@sparsity" else "{}"
            axes = itertools.product(self.sparsities, models)
            return [Column(title.format(m, p), m, p, tasks[0], metric_of(tasks[0])) for p, m in axes]
        if len(models) != 1:
            raise SparsitySolverError(
                f"{name} has tasks as columns and shows exactly one model; found {len(models)}: "
                f"{', '.join(models)}. Name one with --models."
            )
        if not tasks or not all(map(is_zero_shot, tasks)) or len(set(tasks)) < len(tasks):
            allowed = ", ".join(filter(is_zero_shot, tasks_table()))
            raise SparsitySolverError(
                f"{name} shows zero-shot tasks, each once; found {found}. Name them with --tasks; known: {allowed}."
            )
        metrics = {task: metric_of(task) for task in tasks} | {AVERAGE: AVERAGE}
        return [Column(task, models[0], self.sparsities[0], task, metric) for task, metric in metrics.items()]


def descriptive_columns(names: Iterable[str]) -> list[str]:
    """Columns of a published table that describe a method; all others are models, model@sparsity or tasks."""
    numbers = models_table().keys() | tasks_table().keys() | {AVERAGE}
    return [name for name in names if name.split("@")[0] not in numbers]


def tables(config: Path = CONFIG) -> list[str]:
    """Names of all tables defined."""
    return sorted(path.stem for path in (config / "tables").glob("*.yaml"))


def load_definition(name: str, config: Path = CONFIG) -> Definition:
    """Read and check ``config/tables/NAME.yaml``, whose rows the published table must have."""
    path = config / "tables" / f"{known('table', name, tables(config))}.yaml"
    definition = read_yaml(path, Definition, name=name, folder=config)
    for row in definition.rows:
        known(f"row of the published table (in {path})", row.name, [cells[METHOD] for cells in definition.printed])
    if definition.layout != "models@sparsity" and len(definition.sparsities) > 1:
        raise SparsitySolverError(
            f"{path}: columns '{definition.layout}' take one sparsity, found {len(definition.sparsities)}; "
            "use 'models@sparsity'."
        )
    return definition
