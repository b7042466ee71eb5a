"""The grid: which models, which tasks, which cells. The Snakefile only asks (no torch)."""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sparsitysolver import CONFIG
from sparsitysolver.config import run_settings
from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import ZERO_SHOT, MethodRow, method, models_table, tasks_table
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.model_files import configuration

RESULTS = "results"
TASK_COLUMNS = "tasks"  # layout of tables whose columns are the zero-shot tasks of one model
DEFAULT_TASKS = ["boolq", "piqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa"]
STUDY_SAMPLES = [1, 2, 4, 8, 16, 32, 64, 128]  # of reconstruction (figure 5)
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
        self.name = str(config.get("grid", "tiny"))
        files = {path.stem: path for path in (CONFIG / "grids").glob("*.yaml")}
        if self.name not in files:
            raise unknown_name("grid", self.name, files)
        settings = yaml.safe_load(files[self.name].read_text())
        run_settings.refuse_unknown(settings, config)
        folder = run_settings.folder(config, "assets")
        self.assets = Assets.from_environment(folder) if self._uses_assets() else Assets(None)
        self.task: str = settings["task"]
        if self.task not in tasks_table():
            raise unknown_name("task", self.task, tasks_table())
        self.device = run_settings.device(config)
        self.threads: int | None = run_settings.count(config, "threads") or settings.get("torch_threads")
        self.dtype: str = settings.get("dtype", "auto")
        self.max_nsamples: int | None = settings.get("max_nsamples")
        self.texts: dict[str, str] = settings.get("texts", {})
        self.items: str = str(config.get("items") or "report")
        self.search_items: str = str(config.get("search_items") or "search")  # report: the paper's practice, flagged
        self.limit = run_settings.count(config, "limit") or settings.get("limit")
        self.searches = run_settings.searches(settings, config)
        self.chat = run_settings.chat(config)
        self.inference = run_settings.inference(settings, config)
        self.study_samples: list[int] = settings.get("study_samples", STUDY_SAMPLES)
        self.seeds = run_settings.seeds(config.get("seeds", [0]))
        self.models = self._models(config.get("models") or settings["models"])
        self.tasks = self._tasks(config.get("tasks") or settings.get("tasks") or DEFAULT_TASKS)
        # Models asked for by name are those of every table and figure; else one may have fewer or others than the grid.
        self._own_models: dict[str, list[str]] = {} if config.get("models") else settings.get("own_models", {})

    def _uses_assets(self) -> bool:
        return self.name != "tiny"

    def _models(self, listed: Any) -> list[str]:
        names = run_settings.names("models", listed)
        if self.name == "local":
            return self._local_models(names)
        for name in names:
            if name not in models_table():
                raise unknown_name("model", name, models_table())
        return names

    def _local_models(self, names: list[str]) -> list[str]:
        if self.assets.folder is None:
            raise SparsitySolverError("grid 'local' reads an assets folder: add --config grid=local assets=DIR.")
        folder = self.assets.existing("models", "the models of grid 'local'")
        found = sorted(path.name for path in folder.iterdir() if (path / "config.json").is_file())
        if not found:
            raise SparsitySolverError(f"no model folder (with a config.json) in {folder}.")
        for name in names:
            if name not in found:
                raise unknown_name("model", name, found)
        for name in names or found:
            if set("{}") & set(name) or name.startswith("-") or name != name.strip() or not name.isprintable():
                raise SparsitySolverError(
                    f"model folder {name!r} in {folder}: no braces, unprintable characters, '-' in front or blanks at "
                    "the ends can stand in a name, which is part of paths and commands; rename it, or leave it out "
                    "with --config models=a,b."
                )
        return names or found

    def _tasks(self, listed: Any) -> list[str]:
        names = run_settings.names("tasks", listed)
        known = [row.key for row in tasks_table().values() if row.kind == ZERO_SHOT]
        for name in names:
            if name not in known:
                raise unknown_name("zero-shot task", name, known)
        return names

    def table(self, name: str) -> dict[str, Any]:
        """A table's definition."""
        if name not in self.tables():
            raise unknown_name("table", name, self.tables())
        return _table(name)

    def tables(self) -> list[str]:
        """Names of all tables defined."""
        return sorted(path.stem for path in (CONFIG / "tables").glob("*.yaml"))

    def own_models(self, target: str) -> list[str] | None:
        """The models that the grid names for a table or figure, if it does."""
        return self._own_models.get(target)

    def table_models(self, name: str) -> list[str]:
        """The models of a table: its own where the grid names them; for tables over tasks one, LLaMA if there is."""
        models = self._own_models.get(name, self.models)
        if self.table(name)["columns"] != TASK_COLUMNS:
            return models
        return ([model for model in models if self._family(model) == PAPER_FAMILY] or models)[:1]

    def _family(self, model: str) -> str:
        """The family of a registered model, or of one that only the assets folder has, by its ``config.json``."""
        if model in models_table() or self.assets.folder is None:
            return models_table()[model].family
        return str(configuration(self.assets.folder / "models" / model).get("model_type"))

    def table_tasks(self, name: str) -> list[str]:
        """The zero-shot tasks of a table's columns; none for tables of perplexity."""
        return self.tasks if self.table(name)["columns"] == TASK_COLUMNS else []

    def all_models(self) -> list[str]:
        """Every model of the grid or of any of its tables and figures."""
        own = [model for models in self._own_models.values() for model in models]
        return list(dict.fromkeys([*self.models, *own]))

    def table_cells(self, name: str) -> list[Cell]:
        """All cells that a table needs, its extended rows included."""
        table = self.table(name)
        sparsities = table["sparsity"] if isinstance(table["sparsity"], list) else [table["sparsity"]]
        cells = [
            Cell(model, row["method"], "0" if row["method"] == "dense" else str(sparsity), seed, task)
            for row in [*table["rows"], *table.get("extended", [])]
            if "quantity" not in row
            for sparsity in sparsities
            for model in self.table_models(name)
            for seed in (self.seeds if _draws(method(row["method"])) else ["0"])
            for task in (self.table_tasks(name) or [self.task])
        ]
        return list(dict.fromkeys(cells))

    def cells(self, tables: list[str] | None = None) -> list[Cell]:
        """All cells of some tables (all by default), each once."""
        return list(dict.fromkeys(cell for name in tables or self.tables() for cell in self.table_cells(name)))

    def text_of(self, source: str) -> str:
        """The text that stands for a method's own on this grid: the tiny grid needs no network."""
        return self.texts.get(source, source)


@functools.cache
def _table(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIG / "tables" / f"{name}.yaml").read_text())


def own_commands() -> None:
    """Let jobs find the commands of the environment that runs this process, activated or not."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def _draws(row: MethodRow) -> bool:
    """Whether a method depends on the seed index: all but the dense model do, through their calibration windows."""
    return row.key != "dense"
