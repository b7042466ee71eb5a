"""The grid: which models, which tasks, which cells. The Snakefile only asks (no torch)."""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.grid_settings import load_grid
from sparsitysolver.config.registry import MethodRow, method, models_table, zero_shot_task
from sparsitysolver.config.run_settings import read_run
from sparsitysolver.config.tables import DENSE, TASKS, Definition, load_definition, tables
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.model_files import configuration

RESULTS = "results"
PAPER_FAMILY = "llama"  # the family of the paper's zero-shot tables


@dataclass(frozen=True)
class Cell:
    """One cell of the grid; ``sparsity`` as the tables spell it, ``seed`` an index."""

    model: str
    method: str
    sparsity: str
    seed: str
    task: str

    @property
    def row(self) -> MethodRow:
        """The method's row."""
        return method(self.method)


class Grid:
    """One grid of ``config/grids`` with the run's own overrides (``assets``, ``seeds``, ``models``, ``limit`` …)."""

    def __init__(self, config: Mapping[str, Any], on_cluster: Callable[[], bool] = lambda: False) -> None:
        self.on_cluster = on_cluster  # whether other machines run the jobs, which is known when they are planned
        self.name = str(config.get("grid") or "tiny")
        settings = load_grid(self.name)
        self.run = run = read_run(config, settings.kinds)
        self.assets = Assets(None) if self.name == "tiny" else Assets.from_environment(run.assets)
        self.task = settings.task
        self.device = run.device
        self.threads = run.threads or settings.torch_threads
        self.dtype = settings.dtype
        self.max_nsamples = settings.max_nsamples
        self.texts = settings.texts
        self.items = run.items
        self.search_items = run.search_items
        self.limit = run.limit or settings.limit
        self.searches = run.searches(settings)
        self.chat = run.chat
        self.inference = run.inference(settings)
        self.study_samples = settings.study_samples
        self.seeds = run.seeds
        self.models = self._models(run.models or settings.models)
        self.tasks = [zero_shot_task(name).key for name in run.tasks or settings.tasks]
        # Models asked for by name are those of every table and figure; else one may have fewer or others than the grid.
        self._own_models = {} if run.models else settings.own_models

    def _models(self, names: list[str]) -> list[str]:
        if self.name == "local":
            return self._local_models(names)
        return [known("model", name, models_table()) for name in names]

    def _local_models(self, names: list[str]) -> list[str]:
        if self.assets.folder is None:
            raise SparsitySolverError("grid 'local' reads an assets folder: add --config grid=local assets=DIR.")
        folder = self.assets.existing("models", "the models of grid 'local'")
        found = sorted(path.name for path in folder.iterdir() if (path / "config.json").is_file())
        if not found:
            raise SparsitySolverError(f"no model folder (with a config.json) in {folder}.")
        chosen = [known("model", name, found) for name in names] or found
        for name in chosen:
            if set("{}") & set(name) or name.startswith("-") or name != name.strip() or not name.isprintable():
                raise SparsitySolverError(
                    f"model folder {name!r} in {folder}: no braces, unprintable characters, '-' in front or blanks at "
                    "the ends can stand in a name, which is part of paths and commands; rename it, or leave it out "
                    "with --config models=a,b."
                )
        return chosen

    def table(self, name: str) -> Definition:
        """A table's definition."""
        return _table(name)

    def tables(self) -> list[str]:
        """Names of all tables defined."""
        return tables()

    def own_models(self, target: str) -> list[str] | None:
        """The models that the grid names for a table or figure, if it does."""
        return self._own_models.get(target)

    def table_models(self, name: str) -> list[str]:
        """The models of a table: its own where the grid names them; for tables over tasks one, LLaMA if there is."""
        models = self._own_models.get(name, self.models)
        if self.table(name).layout != TASKS:
            return models
        return ([model for model in models if self._family(model) == PAPER_FAMILY] or models)[:1]

    def _family(self, model: str) -> str:
        """The family of a registered model, or of one that only the assets folder has, by its ``config.json``."""
        if model in models_table() or self.assets.folder is None:
            return models_table()[model].family
        return str(configuration(self.assets.folder / "models" / model).get("model_type"))

    def table_tasks(self, name: str) -> list[str]:
        """The zero-shot tasks of a table's columns; none for tables of perplexity."""
        return self.tasks if self.table(name).layout == TASKS else []

    def all_models(self) -> list[str]:
        """Every model of the grid or of any of its tables and figures."""
        own = [model for models in self._own_models.values() for model in models]
        return list(dict.fromkeys([*self.models, *own]))

    def table_cells(self, name: str) -> list[Cell]:
        """All cells that a table needs, its extended rows included; the dense model has one, whatever the seeds."""
        table = self.table(name)
        cells = [
            Cell(model, row.method, "0" if row.method == DENSE else str(sparsity), seed, task)
            for row in table.all_rows
            if not row.quantity
            for sparsity in table.sparsities
            for model in self.table_models(name)
            for seed in (["0"] if row.method == DENSE else self.seeds)
            for task in (self.table_tasks(name) or [self.task])
        ]
        return list(dict.fromkeys(cells))

    def cells(self, tables: list[str] | None = None) -> list[Cell]:
        """All cells of some tables (all by default), each once."""
        return list(dict.fromkeys(cell for name in tables or self.tables() for cell in self.table_cells(name)))

    def text_of(self, source: str) -> str:
        """The text that stands for a method's own on this grid: the tiny grid needs no network."""
        return self.texts.get(source, source)


_table = functools.cache(load_definition)


def own_commands() -> None:
    """Let jobs find the commands of the environment that runs this process, activated or not."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
