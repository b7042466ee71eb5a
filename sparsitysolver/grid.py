"""The grid: which cells there are, where they lie, what each depends on. The Snakefile only asks (no torch).

Every artefact's path ends in a content key over all that decides it: model, text, method row, settings, seeds. So a
changed setting is another path, switching grids back and forth evaluates nothing twice, and two grids never mix.
Source files are not in the keys: they are declared inputs of the rules.
"""

import functools
import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.records import content_key, file_sha256
from sparsitysolver.registry import (
    BUNDLED,
    HUB_TEXT,
    RECONSTRUCTION_WINDOWS,
    Assets,
    MethodRow,
    datasets_table,
    method,
    models_table,
    tasks_table,
)
from sparsitysolver.seeds import derive_seed
from sparsitysolver.sources import source_files

RESULTS = "results"
RECONSTRUCTION = "reconstruction"  # name of the calibration set that reconstruction regresses on
_WHOLE_FILE = 64 << 20  # larger weight files are identified by size, head and tail when jobs are planned
_EDGE = 1 << 20


@dataclass(frozen=True)
class Cell:
    """One cell of the grid; ``sparsity`` as the tables spell it, ``seed`` an index."""

    model: str
    method: str
    sparsity: str
    seed: str
    task: str


class Grid:
    """One grid of ``config/grids`` with the run's own overrides (``assets``, ``seeds``)."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.name = str(config.get("grid", "tiny"))
        files = {path.stem: path for path in (CONFIG / "grids").glob("*.yaml")}
        if self.name not in files:
            raise unknown_name("grid", self.name, files)
        settings = yaml.safe_load(files[self.name].read_text())
        self.assets = Assets.from_environment(config.get("assets") or None) if self._uses_assets() else Assets(None)
        self.task: str = settings["task"]
        self.threads: int = settings["torch_threads"]
        self.dtype: str = settings.get("dtype", "auto")
        self.max_nsamples: int | None = settings.get("max_nsamples")
        self.search: dict[str, Any] = settings["search"] | _search_overrides(config)
        self.seeds = _seeds(config.get("seeds", [0]))
        self.models = self._models(config.get("models") or settings["models"])
        if self.task not in tasks_table():
            raise unknown_name("task", self.task, tasks_table())

    def _uses_assets(self) -> bool:
        return self.name != "tiny"

    def _models(self, listed: list[str] | str) -> list[str]:
        names = listed.split(",") if isinstance(listed, str) else list(listed)
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
        return names or found

    # --- which cells -------------------------------------------------------------------------------------------

    def table(self, name: str) -> dict[str, Any]:
        """A table's definition."""
        files = {path.stem: path for path in (CONFIG / "tables").glob("*.yaml")}
        if name not in files:
            raise unknown_name("table", name, files)
        return yaml.safe_load(files[name].read_text())

    def table_cells(self, name: str) -> list[Cell]:
        """All cells that a table needs, its extended rows included."""
        table = self.table(name)
        return [
            Cell(model, row["method"], "0" if row["method"] == "dense" else str(table["sparsity"]), seed, self.task)
            for row in [*table["rows"], *table.get("extended", [])]
            for model in self.models
            for seed in (self.seeds if _draws(method(row["method"])) else ["0"])
        ]

    def tables(self) -> list[str]:
        """Names of all tables defined."""
        return sorted(path.stem for path in (CONFIG / "tables").glob("*.yaml"))

    def cells(self) -> list[Cell]:
        """All cells of all tables, each once."""
        return list(dict.fromkeys(cell for name in self.tables() for cell in self.table_cells(name)))

    # --- where they lie ------------------------------------------------------------------------------------------

    def cell_path(self, cell: Cell) -> str:
        """Path of a cell's JSON."""
        return f"{RESULTS}/cells/{_place(cell)}/{cell.task}/{self.cell_key(cell)}.json"

    def pruned_path(self, cell: Cell) -> str:
        """Path of the pruned model behind a cell."""
        return f"{RESULTS}/pruned/{_place(cell)}/{self.pruned_key(cell)}"

    def strategy_path(self, cell: Cell) -> str:
        """Path of the searched strategy behind a cell; shared by all methods with the same allocator."""
        allocator = method(cell.method).allocator
        return (
            f"{RESULTS}/strategies/{cell.model}/{allocator}/{cell.sparsity}/{cell.seed}/{self.strategy_key(cell)}.json"
        )

    def ids_path(self, model: str, draw: str) -> str:
        """Path of calibration token ids; ``draw`` names the drawing as :meth:`draw` does."""
        return f"{RESULTS}/calibration/{model}/{draw}/{self.ids_key(model, draw)}.npy"

    def stats_path(self, model: str, draw: str) -> str:
        """Path of the dense model's statistics over those ids."""
        key = content_key([self.model_identity(model), self.ids_key(model, draw), self.precision(model)])
        return f"{RESULTS}/statistics/{model}/{draw}/{key}.safetensors"

    def precision(self, model: str) -> list[Any]:
        """What decides rounding: threads, dtype and whether the model runs on a GPU."""
        return [self.threads, self.dtype, self.gpus(model) > 0]

    # --- what decides them ---------------------------------------------------------------------------------------

    @functools.cache  # noqa: B019 - one grid per process
    def model_identity(self, model: str) -> str:
        """Folder contents of a local model, id and commit of a hub model."""
        folder = self.model_folder(model)
        if folder is None:
            row = models_table()[model]
            return f"{row.hub_id}@{row.revision}"
        digest = hashlib.sha256()
        for path in sorted(path for ending in ("safetensors", "bin", "json") for path in folder.glob(f"*.{ending}")):
            digest.update(f"{path.name} {_quick_hash(path)}\n".encode())
        return digest.hexdigest()

    def model_folder(self, model: str) -> Path | None:
        """The folder a model is read from, None for the hub."""
        if self.name == "tiny":
            return BUNDLED / model
        if self.assets.folder is not None:
            return self.assets.existing(f"models/{model}", f"model {model}")
        return None

    def model_argument(self, model: str) -> str:
        """MODEL as the command line takes it."""
        if self.name == "local":
            return str(self.model_folder(model))
        return model

    @functools.cache  # noqa: B019 - one grid per process
    def text_identity(self, source: str) -> str:
        """Identity of a text source: file contents, generator, or pinned revision."""
        if source == "mini":
            generator = sorted((Path(__file__).parent / "data").glob("minilang*.py"))
            return content_key([file_sha256(path) for path in generator])
        if self.assets.folder is not None:
            files = sorted(self.assets.existing(source, f"text {source}").iterdir())
            return content_key([[path.name, _quick_hash(path)] for path in files])
        return datasets_table()[source].revision

    def draw(self, name: str, seed: str) -> str:
        """Name of a calibration set: source, sampler, windows x tokens, seed, e.g. ``wikitext2-gptq-64x2048-0``.

        Methods that calibrate on WikiText-2 take the grid's own text, so that the tiny grid needs no network.

        ``name`` is a method or ``reconstruction``. Methods that draw alike share the name and so the file.
        """
        row = method("sparsitysolver" if name == RECONSTRUCTION else name)
        nsamples = RECONSTRUCTION_WINDOWS if name == RECONSTRUCTION else row.nsamples
        nsamples = min(nsamples, self.max_nsamples or nsamples)
        source = self.task if row.source == HUB_TEXT else row.source
        return f"{source}-{row.sampler}-{nsamples}x{row.seqlen}-{row.calibration_seed + int(seed)}"

    def sample_options(self, draw: str) -> str:
        """The drawing as options of ``sparsitysolver sample``."""
        source, sampler, size, seed = draw.split("-")
        nsamples, seqlen = size.split("x")
        return f"--calibration {source} --sampler {sampler} --nsamples {nsamples} --seqlen {seqlen} --seed {seed}"

    def ids_key(self, model: str, draw: str) -> str:
        """Content key of calibration ids."""
        return content_key([self.model_identity(model), draw, self.text_identity(draw.split("-")[0])])

    def strategy_key(self, cell: Cell) -> str:
        """Content key of a searched strategy."""
        return content_key(
            [
                self.stats_path(cell.model, self.draw(cell.method, cell.seed)),
                self.search,
                cell.sparsity,
                self.search_seed(cell),
                self.text_identity(self.task),
            ]
        )

    def search_seed(self, cell: Cell) -> int:
        """Seed of a search, derived from model, allocator, sparsity and seed index."""
        return derive_seed("search", cell.model, method(cell.method).allocator, cell.sparsity, cell.seed)

    def pruned_key(self, cell: Cell) -> str:
        """Content key of a pruned model."""
        row = method(cell.method)
        parts: list[Any] = [self.model_identity(cell.model), self.precision(cell.model), self.deciding(cell.method)]
        parts += [cell.sparsity, cell.seed]
        if cell.method != "dense":
            parts.append(self.ids_key(cell.model, self.draw(cell.method, cell.seed)))
        if row.pruner == "reconstruction":
            parts.append(self.ids_key(cell.model, self.draw(RECONSTRUCTION, cell.seed)))
        if searches(row):
            parts.append(self.strategy_key(cell))
        return content_key(parts)

    def cell_key(self, cell: Cell) -> str:
        """Content key of a cell."""
        return content_key([self.pruned_key(cell), cell.task, self.text_identity(cell.task), "test"])

    # --- what jobs need ------------------------------------------------------------------------------------------

    def prune_inputs(self, cell: Cell) -> dict[str, str]:
        """Files that pruning a cell reads, by the option that names them."""
        row = method(cell.method)
        draw = self.draw(cell.method, cell.seed)
        files = {"calibration": self.ids_path(cell.model, draw)}
        if row.allocator:
            files["stats"] = self.stats_path(cell.model, draw)
        if row.pruner == "reconstruction":
            files["reconstruction_calibration"] = self.ids_path(cell.model, self.draw(RECONSTRUCTION, cell.seed))
        if searches(row):
            files["strategy"] = self.strategy_path(cell)
        return files

    def prune_options(self, files: Mapping[str, Any]) -> str:
        """Those files as options of ``sparsitysolver prune``."""
        named = {name: path for name, path in files.items() if name != "code"}
        return " ".join(f"--{name.replace('_', '-')} {path}" for name, path in named.items())

    def prune_code(self, key: str) -> list[str]:
        """Source files that decide a method's pruning: the stage without the search, allocator and pruner."""
        row = method(key)
        baselines = [f"baselines.{name}" for name in (row.allocator, row.pruner) if name]
        modules = ["sparsitysolver.stages.prune", *baselines]
        return sorted({file for module in modules for file in source_files(module, without=("sparsitysolver.search",))})

    def deciding(self, key: str) -> list[str]:
        """The columns of a method's row that decide its result; its label does not."""
        row = method(key)
        return [row.granularity, row.allocator, row.pruner, row.options]

    def search_options(self) -> str:
        """The grid's search settings as options of ``sparsitysolver search``."""
        return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in sorted(self.search.items()))

    def gpus(self, model: str) -> int:
        """GPUs of one job for a model; 0 for the bundled ones."""
        return models_table()[model].gpus if model in models_table() else 1

    def memory_mb(self, model: str) -> int:
        """Host memory of one job, in MB."""
        return 1024 * (models_table()[model].memory_gib if model in models_table() else 8)

    def minutes(self, model: str, stage: str) -> int:
        """Estimated wall time of one job in minutes, on one data-centre GPU for the hub's models.

        Forward passes cost 2 × parameters × tokens operations; 2e14 of them a second is a cautious rate in half
        precision. A search evaluates every reward window in every episode.
        """
        parameters = models_table()[model].parameters if model in models_table() else 0
        tokens = {
            "sample": 0,
            "calibrate": 64 * 2048,
            "search": self.search["episodes"] * self.search["reward_windows"] * 2048,
            "prune": 8 * 256 * 2048,
            "evaluate": 170 * 2048,
        }[stage]
        return 5 + int(2 * parameters * tokens / 2e14 / 60 * 1.5)


def own_commands() -> None:
    """Let jobs find the commands of the environment that runs this process, activated or not."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def searches(row: MethodRow) -> bool:
    """Whether a method's allocator searches (and so needs a strategy made by its own rule)."""
    return row.allocator == "sparsitysolver"


def _draws(row: MethodRow) -> bool:
    """Whether a method depends on the seed index: all but the dense model do, through their calibration windows."""
    return row.key != "dense"


def _place(cell: Cell) -> str:
    return f"{cell.model}/{cell.method}/{cell.sparsity}/{cell.seed}"


def _seeds(given: Any) -> list[str]:
    """Seed indices from ``[0, 1]``, ``0,1`` or ``0``."""
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    texts = [str(part).strip() for part in parts]
    if not texts or not all(text.isdigit() for text in texts):
        raise SparsitySolverError(f"seeds={given}: seed indices such as 0 or 0,1,2 are needed.")
    return texts


def _search_overrides(config: Mapping[str, Any]) -> dict[str, Any]:
    """``--config episodes=300 reward_windows=8`` and other search settings of a run."""
    names = ("episodes", "reward_windows", "budget", "reward", "reward_split", "criterion")
    return {name: config[name] for name in names if name in config}


@functools.cache
def _quick_hash(path: Path) -> str:
    """Hash of a file, or of size, head and tail of a large one."""
    size = path.stat().st_size
    if size <= _WHOLE_FILE:
        return file_sha256(path)
    with path.open("rb") as handle:
        head = handle.read(_EDGE)
        handle.seek(-_EDGE, 2)
        tail = handle.read()
    return hashlib.sha256(head + tail + str(size).encode()).hexdigest()
