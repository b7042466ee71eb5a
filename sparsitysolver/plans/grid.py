"""The grid: which models, which tasks, which cells. The Snakefile only asks (no torch)."""

import functools
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import MethodRow, method, models_table, zero_shot_task
from sparsitysolver.config.settings import load_grid, names_in, read_run
from sparsitysolver.config.tables import DENSE, TASKS, load_definition, tables
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import bos_rule
from sparsitysolver.plans.own_models import models_asked, needs_other_grid

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

    table = staticmethod(functools.cache(load_definition))
    tables = staticmethod(tables)

    def __init__(self, config: Mapping[str, Any], on_cluster: Callable[[], bool] = lambda: False) -> None:
        self.on_cluster = on_cluster  # whether other machines run the jobs, which is known when they are planned
        self.name = str(config.get("grid") or ("local" if needs_other_grid(names_in(config)) else "tiny"))
        settings = load_grid(self.name)
        self.run = run = read_run(config, settings.kinds)
        self.assets = Assets(None) if self.name == "tiny" else Assets.from_environment(run.assets)
        self.task, self.dtype, self.max_nsamples = settings.task, run.dtype or settings.dtype, settings.max_nsamples
        self.texts, self.study_samples = settings.texts, settings.study_samples
        self.device, self.items, self.search_items, self.seeds = run.device, run.items, run.search_items, run.seeds
        self.threads = run.threads or settings.torch_threads
        self.limit = run.limit or settings.limit
        self.searches, self.chat, self.inference = run.searches(settings), run.chat, run.inference(settings)
        names = run.models or settings.models or self._every_local()
        self.models, self.own = models_asked(names, self.assets, self.name, check=bool(run.models))
        self.tasks = [zero_shot_task(name).key for name in run.tasks or settings.tasks]
        # Models asked for by name are those of every table and figure; else one may have fewer or others than the grid.
        self._own_models = {} if run.models else settings.own_models

    def _every_local(self) -> list[str]:
        """The models of grid ``local`` where none is named: all that the assets folder holds."""
        if self.assets.folder is None:
            raise SparsitySolverError(
                "grid 'local' reads an assets folder: add --config grid=local assets=DIR, or name models by "
                "models=owner/name,/path/to/a/folder."
            )
        folder = self.assets.existing("models", "the models of grid 'local'")
        if not self.assets.models():
            raise SparsitySolverError(f"no model folder (with a config.json) in {folder}.")
        return self.assets.models()

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
        return str(self.own[model].config.get("model_type")) if model in self.own else models_table()[model].family

    def bos(self, model: str) -> str:
        """The rule of a model's BOS (``config/bos.py``): the run's, else that of its family."""
        return self.run.bos or bos_rule(self._family(model))

    def bos_option(self, model: str) -> str:
        """That rule as an option of commands; nothing where it is the family's, which they know."""
        return "" if self.bos(model) == bos_rule(self._family(model)) else f" --bos {self.bos(model)}"

    def table_tasks(self, name: str) -> list[str]:
        """The zero-shot tasks of a table's columns; none for tables of perplexity."""
        return self.tasks if self.table(name).layout == TASKS else []

    def all_models(self) -> list[str]:
        """Every model of the grid or of any of its tables and figures."""
        return list(dict.fromkeys([*self.models, *sum(self._own_models.values(), [])]))

    def table_cells(self, name: str) -> list[Cell]:
        """All cells that a table needs, its extended rows included; the dense model has one, whatever the seeds."""
        table, tasks = self.table(name), self.table_tasks(name) or [self.task]
        methods = [row.method for row in table.all_rows if not row.quantity]
        axes = itertools.product(methods, table.sparsities, self.table_models(name), self.seeds, tasks)
        cells = (
            Cell(model, DENSE, "0", "0", task) if method == DENSE else Cell(model, method, str(sparsity), seed, task)
            for method, sparsity, model, seed, task in axes
        )
        return list(dict.fromkeys(cells))

    def cells(self, tables: list[str] | None = None) -> list[Cell]:
        """All cells of some tables (all by default), each once."""
        return list(dict.fromkeys(cell for name in tables or self.tables() for cell in self.table_cells(name)))

    def text_of(self, source: str) -> str:
        """The text that stands for a method's own on this grid: the tiny grid needs no network."""
        return self.texts.get(source, source)


def own_commands() -> None:
    """Let jobs find the commands of the environment that runs this process, activated or not."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
