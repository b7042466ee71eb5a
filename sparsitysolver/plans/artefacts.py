"""Artefacts of a grid: where they lie, what each depends on, how it is asked for (no torch).

Every artefact's path ends in a content key over all that decides it: model, text, method row, settings, seeds. So a
changed setting is another path, switching grids back and forth evaluates nothing twice, and two grids never mix.
Source files are not in the keys: a stamp of them is an input of every rule.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsitysolver.config.grid import RESULTS, Cell, Grid
from sparsitysolver.config.registry import (
    PERPLEXITY,
    SEARCHING,
    ZERO_SHOT,
    MethodRow,
    is_zero_shot,
    method,
    methods_table,
    tasks_table,
)
from sparsitysolver.config.run_settings import TASK_SEARCH
from sparsitysolver.plans import needs
from sparsitysolver.plans.identities import Identities
from sparsitysolver.records.files import content_key
from sparsitysolver.search.algorithms import DRIVEN
from sparsitysolver.seeds import derive_seed

PER_TASK = "task"  # a row's reconstruction or reward is each task's own
ANY_TASK = "any"  # path segment of strategies that all tasks share
TIMED = "inference"  # path segment of pruned models whose inference is timed
SHARED = (ANY_TASK, PERPLEXITY, ZERO_SHOT, TIMED)  # segments that name no task


class Artefacts:
    """Paths, keys and inputs of everything that a grid's jobs make."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.identities = grid, Identities(grid)
        self.machine = self.identities.machine

    # --- where they lie ------------------------------------------------------------------------------------------

    def cell_path(self, cell: Cell) -> str:
        """Path of a cell's JSON."""
        return f"{RESULTS}/cells/{_place(cell)}/{cell.task}/{self.cell_key(cell)}.json"

    def pruned_path(self, cell: Cell, use: str | None = None) -> str:
        """Path of the pruned model behind a cell; one for all tasks, unless the method has one for each.

        Pruned models are temporary, so every ``use`` besides evaluation has one of its own (see :func:`target`).
        """
        return f"{RESULTS}/pruned/{_place(cell)}/{use or target(cell)}/{self.pruned_key(cell)}"

    def strategy_path(self, cell: Cell) -> str:
        """Path of the searched strategy behind a cell; shared by all methods that search alike."""
        kind = _searcher(cell.row)
        place = f"{cell.model}/{kind}/{cell.sparsity}/{cell.seed}/{search_target(cell)}"
        return f"{RESULTS}/strategies/{place}/{self.strategy_key(cell)}.json"

    def ids_path(self, model: str, draw: str) -> str:
        """Path of calibration token ids; ``draw`` names the drawing as :meth:`draw` does."""
        return f"{RESULTS}/calibration/{model}/{draw}/{self.ids_key(model, draw)}.npy"

    def stats_path(self, model: str, draw: str, granularity: str) -> str:
        """Path of the dense model's statistics over those ids."""
        identity, precision = self.identities.model(model), self.identities.precision(model)
        key = content_key([identity, self.ids_key(model, draw), precision, granularity])
        return f"{RESULTS}/statistics/{model}/{granularity}/{draw}/{key}.safetensors"

    # --- what decides them ---------------------------------------------------------------------------------------

    def draw(self, name: str, seed: str) -> str:
        """Name of a method's calibration set: source, sampler, windows x tokens, seed: ``c4-gptq-128x2048-0``.

        Methods that draw alike share the name and so the file.
        """
        row = method(name)
        return self.draw_of(row, row.source, row.nsamples, seed)

    def reconstruction_draw(self, cell: Cell) -> str:
        """Name of the calibration set that a cell's reconstruction regresses on."""
        row = cell.row.regressing
        return self.draw_of(row, cell.task if row.source == PER_TASK else row.source, row.nsamples, cell.seed)

    def draw_of(self, row: MethodRow, source: str, nsamples: int, seed: str) -> str:
        """Name of a calibration set that a method draws from ``source``."""
        nsamples = min(nsamples, self.grid.max_nsamples or nsamples)
        text = self.grid.text_of(source)
        return f"{text}-{row.sampler}-{nsamples}x{row.seqlen}-{row.calibration_seed + int(seed)}"

    def sample_options(self, draw: str) -> str:
        """The drawing as options of ``sparsitysolver sample``."""
        source, sampler, size, seed = draw.split("-")
        nsamples, seqlen = size.split("x")
        options = f"--calibration {source} --sampler {sampler} --nsamples {nsamples} --seqlen {seqlen} --seed {seed}"
        return f"{options} --items {self.grid.search_items}" if is_zero_shot(source) else options

    def ids_key(self, model: str, draw: str) -> str:
        """Content key of calibration ids."""
        text = self.identities.text(draw.split("-")[0])
        return content_key([self.identities.model(model), self.sample_options(draw), text])

    def strategy_key(self, cell: Cell) -> str:
        """Content key of a searched strategy."""
        rewarded_on = cell.task if cell.row.reward == PER_TASK else self.grid.task
        first = needs.first_search(cell)
        return content_key(
            [
                self.stats(cell),
                self._search_identity(cell),
                cell.sparsity,
                self.identities.text(rewarded_on),
                *([self.strategy_key(first)] if first else []),
            ]
        )

    def search_settings(self, cell: Cell) -> dict[str, Any]:
        """Settings of the search behind a cell: the grid's, and what the method's row adds."""
        own = cell.row.search_options
        kind = TASK_SEARCH if cell.row.reward == PER_TASK else own.get("settings", cell.row.granularity)
        return self.grid.searches[kind] | {k: v for k, v in own.items() if k not in ("settings", "warm_start")}

    def algorithm(self, cell: Cell) -> str:
        """The algorithm of the search behind a cell: the paper's PPO unless the method's row names another."""
        return self.search_settings(cell).get("algorithm", "ppo")

    def search_seed(self, cell: Cell) -> int:
        """Seed of a search, derived from model, searching method, sparsity and seed index (and task)."""
        axes = [cell.model, _searcher(cell.row), cell.sparsity, cell.seed]
        return derive_seed("search", *axes, *([cell.task] if cell.row.reward == PER_TASK else []))

    def pruned_key(self, cell: Cell) -> str:
        """Content key of a pruned model."""
        row = cell.row
        parts: list[Any] = [self.identities.model(cell.model), self.identities.precision(cell.model)]
        parts += [deciding(cell.method), cell.sparsity, cell.seed]
        if cell.method != "dense":
            parts.append(self.ids_key(cell.model, self.draw(cell.method, cell.seed)))
        if row.reconstruction:
            parts.append(self.ids_key(cell.model, self.reconstruction_draw(cell)))
        if searches(row):
            parts.append(self.strategy_key(cell))
        return content_key(parts)

    def cell_key(self, cell: Cell) -> str:
        """Content key of a cell."""
        return content_key(
            [self.pruned_key(cell), cell.task, self.identities.text(cell.task), self.evaluate_options(cell.task)]
        )

    # --- what jobs need ------------------------------------------------------------------------------------------

    def prune_inputs(self, cell: Cell) -> dict[str, str]:
        """Files that pruning a cell reads, by the option that names them."""
        row = cell.row
        files = {"calibration": self.ids_path(cell.model, self.draw(cell.method, cell.seed))}
        if row.allocator:
            files["stats"] = self.stats(cell)
        if row.reconstruction:
            files["reconstruction_calibration"] = self.ids_path(cell.model, self.reconstruction_draw(cell))
        if searches(row):
            files["strategy"] = self.strategy_path(cell)
        return files

    def stats(self, cell: Cell) -> str:
        """Path of the statistics that a cell's allocator reads."""
        return self.stats_path(cell.model, self.draw(cell.method, cell.seed), cell.row.granularity)

    def prune_options(self, files: Mapping[str, Any]) -> str:
        """Those files as options of ``sparsitysolver prune``."""
        named = {name: path for name, path in files.items() if name != "code"}
        return " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(path))}" for name, path in named.items())

    def calibrated(self, cell: Cell) -> dict[str, str]:
        """Calibration windows of a cell's method and the dense model's statistics over them."""
        ids = self.ids_path(cell.model, self.draw(cell.method, cell.seed))
        return {"calibration": ids, "stats": self.stats(cell)}

    def search_inputs(self, cell: Cell) -> dict[str, str]:
        """Files that a search reads; the agent of the search before it lies beside that one's strategy."""
        first = needs.first_search(cell)
        return self.calibrated(cell) | ({"first": self.strategy_path(first)} if first else {})

    def warm_start(self, files: Mapping[str, Any]) -> str:
        """The option that names the agent to start from, if the search has one before it."""
        return shlex.join(["--warm-start", str(Path(files["first"]).with_suffix(".agent"))]) if "first" in files else ""

    def search_options(self, cell: Cell) -> str:
        """The search behind a cell as options of ``sparsitysolver search``."""
        chat = self.grid.chat if self.algorithm(cell) in DRIVEN else {}
        return _options(self._searched(cell) | chat)

    def _searched(self, cell: Cell) -> dict[str, Any]:
        """The options of a search, who answers its prompts apart."""
        own = {"text": self.grid.task}
        if cell.row.reward == PER_TASK:
            own = {"reward": "accuracy", "task": cell.task, "items": self.grid.search_items}
        return self.search_settings(cell) | own | {"granularity": cell.row.granularity, "seed": self.search_seed(cell)}

    def _search_identity(self, cell: Cell) -> list[Any]:
        """What decides a search beside model, statistics, sparsity and text."""
        driver = self.identities.chat() if self.algorithm(cell) in DRIVEN else None
        return [_options(self._searched(cell)), driver]

    def evaluate_options(self, task: str) -> str:
        """What is evaluated, as options of ``sparsitysolver evaluate``."""
        if not is_zero_shot(task):
            return f"--task {task} --split test"
        limit = f" --limit {self.grid.limit}" if self.grid.limit else ""
        return f"--task {task} --items {self.grid.items}{limit}"


def _options(settings: Mapping[str, Any]) -> str:
    return " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(v))}" for name, v in sorted(settings.items()))


def target(cell: Cell) -> str:
    """Path segment of a cell's pruned model: its task where every task has its own, else the kind of its task.

    Pruned models are temporary. One for both kinds would have to be made again for the second kind asked for, and
    Snakemake would then evaluate the first kind's cells again.
    """
    own = PER_TASK in (cell.row.reconstruction, cell.row.reward)
    return cell.task if own else tasks_table()[cell.task].kind


def search_target(cell: Cell) -> str:
    """Path segment of a cell's strategy: its task where it was rewarded on that, else ``any``."""
    return cell.task if cell.row.reward == PER_TASK else ANY_TASK


def searches(row: MethodRow) -> bool:
    """Whether a method's allocator searches (and so needs a strategy made by its own rule)."""
    return row.allocator == SEARCHING


def deciding(key: str) -> list[str]:
    """The columns of a method's row that decide its result; its label does not."""
    row = method(key)
    return [row.granularity, row.allocator, row.pruner, row.options, row.reconstruction, row.reward]


def _searcher(row: MethodRow) -> str:
    """The method whose search a row takes its strategy from: the first that searches alike."""

    def kind(other: MethodRow) -> tuple[str, ...]:
        return other.allocator, other.granularity, other.reward, other.search

    return next(other.key for other in methods_table().values() if kind(other) == kind(row))


def _place(cell: Cell) -> str:
    return f"{cell.model}/{cell.method}/{cell.sparsity}/{cell.seed}"
