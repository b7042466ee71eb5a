"""From a model to its cells: the job behind every artefact of a grid (no torch)."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparsitysolver.config import registry
from sparsitysolver.config.settings import TASK_SEARCH
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import needs, own_models
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.plans.identities import Identities
from sparsitysolver.plans.job import CALIBRATE, EVALUATE, PRUNE, SAMPLE, SEARCH, Job, as_options
from sparsitysolver.plans.machine import WINDOW
from sparsitysolver.search.algorithms import DRIVEN
from sparsitysolver.seeds import derive_seed
from sparsitysolver.sources import cell_code, prune_code, search_code, stage_code

PER_TASK = "task"  # a row's reconstruction or reward is each task's own
ANY_TASK = "any"  # path segment of strategies that all tasks share
TIMED = "inference"  # path segment of pruned models whose inference is timed
SHARED = (ANY_TASK, registry.PERPLEXITY, registry.ZERO_SHOT, TIMED)  # segments that name no task

_TEXT = 170 * 2048  # tokens of a text that is evaluated whole
_ITEM_TOKENS = 400  # tokens of one zero-shot item, all its choices together
_TOKENIZER_MB = 8000  # of a job that loads no model


class Artefacts:
    """Jobs that make a grid's cells, and what they ask of the machine."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.identities = grid, Identities(grid)
        self.machine = self.identities.machine
        for model in grid.own.values():
            own_models.check(model, grid.bos(model.name))
            self._check_lengths(model.name)

    @functools.cache  # noqa: B019 - one grid per process
    def sample(self, model: str, draw: str) -> Job:
        """Calibration token ids; ``draw`` names the drawing as :meth:`draw` does."""
        source, sampler, size, seed = draw.split("-")
        nsamples, seqlen = size.split("x")
        options = f"--calibration {source} --sampler {sampler} --nsamples {nsamples} --seqlen {seqlen} --seed {seed}"
        if registry.is_zero_shot(source):
            options = f"{options} --items {self.grid.search_items}"
        return Job(
            SAMPLE,
            {"model": model, "draw": draw},
            decided_by=[self.identities.model(model), options, self.identities.text(source)],
            options=options,
            code=stage_code("sample", source),
        )

    @functools.cache  # noqa: B019
    def calibrate(self, model: str, draw: str, granularity: str) -> Job:
        """The dense model's statistics over calibration windows."""
        ids, identity = self.sample(model, draw), self.identities.model(model)
        return Job(
            CALIBRATE,
            {"model": model, "granularity": granularity, "draw": draw},
            decided_by=[identity, ids.key, self.identities.precision(model), granularity],
            inputs={"calibration": ids.path},
            options=f"--granularity {granularity}",
            code=stage_code("calibrate", self.grid.task),
            tokens=128 * self.window(model),
        )

    @functools.cache  # noqa: B019
    def search(self, cell: Cell) -> Job:
        """The search behind a cell: one for all rows that search alike, and for all tasks unless rewarded on each."""
        per_task = cell.row.reward == PER_TASK
        settings, inputs, window = self.search_settings(cell), self.calibrated(cell), self.window(cell.model)
        algorithm, text = settings.get("algorithm", "ppo"), cell.task if per_task else self.grid.task
        own = {"text": self.grid.task} | self.grid.run.evaluated("seqlen")
        if per_task:
            own = {"reward": "accuracy", "task": cell.task, "items": self.grid.search_items}
        own |= {"granularity": cell.row.granularity, "seed": self.search_seed(cell)}
        searched, prompts = dict(sorted((settings | own).items())), algorithm in DRIVEN
        asked = [as_options(searched), self.identities.chat() if prompts else None]  # who answers prompts stands apart
        decided_by = [inputs["stats"], asked, cell.sparsity, self.identities.text(text)]
        options = searched | (self.grid.chat if prompts else {}) | {"sparsity": cell.sparsity}
        before = needs.first_search(cell)
        if before:  # its agent, which this search starts from, lies beside its strategy
            first = self.search(before)
            decided_by.append(first.key)
            inputs["beside"] = first.path
            options["warm_start"] = str(Path(first.path).with_suffix(".agent"))
        windows, items = int(settings.get("reward_windows", 0)), int(settings.get("reward_items", 0))
        return Job(
            SEARCH,
            vars(cell) | {"method": _searcher(cell.row), "target": cell.task if per_task else ANY_TASK},
            decided_by,
            inputs=inputs,
            options=as_options(options),
            code=search_code(algorithm, text),
            tokens=int(settings["episodes"]) * (windows * window + items * _ITEM_TOKENS),
            gated=True,
        )

    @functools.cache  # noqa: B019
    def prune(self, cell: Cell, use: str | None = None) -> Job:
        """The pruned model behind a cell; one for all tasks, unless the method has one for each.

        Pruned models are temporary, so every ``use`` besides evaluation has one of its own (see :func:`target`).
        """
        row, model = cell.row, cell.model
        stats = {"stats": self.calibrated(cell)["stats"]} if row.allocator else {}
        asked = [self.identities.model(model), self.identities.precision(model)]
        # The columns of the method's row that decide its result; its label does not.
        asked += [[row.granularity, row.allocator, row.pruner, row.options, row.reconstruction, row.reward]]
        made = {}
        if cell.method != "dense":
            made["calibration"] = self.sample(model, self.draw(cell.method, cell.seed))
        if row.reconstruction:
            made["reconstruction_calibration"] = self.sample(model, self.reconstruction_draw(cell))
        if row.allocator == registry.SEARCHING:
            made["strategy"] = self.search(cell)
        return Job(
            PRUNE,
            vars(cell) | {"target": use or target(cell)},
            decided_by=[*asked, cell.sparsity, cell.seed, *(job.key for job in made.values())],
            inputs=stats | {name: job.path for name, job in made.items()},
            options=f"--method {cell.method} --sparsity {cell.sparsity} --seed-index {cell.seed} --allow-skip",
            code=prune_code(cell.method),
            tokens=8 * 256 * self.window(model),
            gated=True,
        )

    @functools.cache  # noqa: B019
    def evaluate(self, cell: Cell) -> Job:
        """A cell: evaluated on a pruned model that other cells share, or pruned and evaluated in one job."""
        pruned, task = self.prune(cell), cell.task
        asked = {"task": task, "split": "test"} | self.grid.run.evaluated()
        if registry.is_zero_shot(task):
            asked = {"task": task, "items": self.grid.items} | ({"limit": self.grid.limit} if self.grid.limit else {})
        options = as_options(asked)
        job = Job(
            EVALUATE,
            vars(cell),
            decided_by=[pruned.key, task, self.identities.text(task), options],
            options=options,
            code=stage_code("evaluate", task),
            tokens=self.evaluation_tokens(task),
        )
        if cell.method == "dense":
            return job
        if target(cell) == registry.ZERO_SHOT:
            return replace(job, inputs={"model": pruned.path})
        other = {"task": "on", "items": "part"}  # names that pruning has for options of its own
        evaluated = as_options({other.get(name, name): value for name, value in asked.items()})
        return replace(
            job,
            command="cell",
            gated=True,
            inputs=pruned.inputs,
            options=f"{pruned.options} {evaluated}",
            code=cell_code(cell.method, task),
            tokens=pruned.tokens + job.tokens,
        )

    def draw(self, name: str, seed: str) -> str:
        """Name of a method's calibration set: source, sampler, windows x tokens, seed: ``c4-gptq-128x2048-0``.

        Methods that draw alike share the name and so the file.
        """
        row = registry.method(name)
        return self.draw_of(row, row.source, self.grid.run.nsamples or row.nsamples, seed)

    def reconstruction_draw(self, cell: Cell) -> str:
        """Name of the calibration set that a cell's reconstruction regresses on."""
        row = cell.row.regressing
        nsamples = min(self.grid.run.nsamples or row.nsamples, row.nsamples)
        return self.draw_of(row, cell.task if row.source == PER_TASK else row.source, nsamples, cell.seed)

    def draw_of(self, row: registry.MethodRow, source: str, nsamples: int, seed: str) -> str:
        """Name of a calibration set that a method draws from ``source``."""
        run = self.grid.run
        most = nsamples if run.nsamples else self.grid.max_nsamples or nsamples
        size = f"{min(nsamples, most)}x{run.calibration_seqlen or row.seqlen}"
        return f"{self.grid.text_of(source)}-{row.sampler}-{size}-{row.calibration_seed + int(seed)}"

    def calibrated(self, cell: Cell, granularity: str | None = None) -> dict[str, str]:
        """Calibration windows of a cell's method, and the dense model's statistics over them for its granularity."""
        draw = self.draw(cell.method, cell.seed)
        stats = self.calibrate(cell.model, draw, granularity or cell.row.granularity)
        return {"calibration": self.sample(cell.model, draw).path, "stats": stats.path}

    def search_settings(self, cell: Cell) -> dict[str, Any]:
        """Settings of the search behind a cell: the grid's, and what the method's row adds."""
        own = cell.row.search_options
        kind = TASK_SEARCH if cell.row.reward == PER_TASK else own.get("settings", cell.row.granularity)
        return self.grid.searches[kind] | {k: v for k, v in own.items() if k not in ("settings", "warm_start")}

    def search_seed(self, cell: Cell) -> int:
        """Seed of a search, derived from model, searching method, sparsity and seed index (and task)."""
        axes = [cell.model, _searcher(cell.row), cell.sparsity, cell.seed]
        return derive_seed("search", *axes, *([cell.task] if cell.row.reward == PER_TASK else []))

    def command(self, job: Job) -> str:
        """A job's command. Models that need no GPU stay on the CPU wherever they run.

        The assets folder is not in it: jobs find it in their environment, so that its path decides nothing.
        """
        model = job.axes["model"]
        count = self.machine.gpus(model)
        device = f"--device cuda --gpus {count}" if count else "--device cpu"
        none = "" if job.stage.loads_model else " --gpus 0"
        common = f"--threads {self.machine.threads(model)} {device} --dtype {self.grid.dtype}{none}"
        common += self.grid.bos_option(model) if job.stage.reads_text else ""
        return job.words(self.identities.model_argument(model), common)

    def demands(self, job: Job) -> dict[str, int]:
        """Threads, GPUs, MB of host memory and minutes of a job: as Snakemake calls them."""
        model, stage, machine = job.axes["model"], job.stage, self.machine
        memory = (2 if stage.alone else 1) * machine.memory_mb(model)
        demanded = {"threads": machine.threads(model), "gpu": machine.gpus(model), "mem_mb": memory}
        if not stage.loads_model:
            demanded = {"threads": 1, "gpu": 0, "mem_mb": _TOKENIZER_MB}
        return demanded | {"runtime": machine.minutes(model, job.tokens)}

    def window(self, model: str) -> int:
        """Tokens of a model's window."""
        return self.grid.run.seqlen or self.machine.size(model).window

    def evaluation_tokens(self, task: str) -> int:
        """Tokens of one evaluation on a task."""
        row, run = registry.tasks_table()[task], self.grid.run
        if row.kind == registry.ZERO_SHOT:
            return row.n_items * _ITEM_TOKENS
        return min(_TEXT, run.windows * (run.seqlen or WINDOW)) if run.windows else _TEXT

    def _check_lengths(self, model: str) -> None:
        """Refuse windows that are longer than a model takes."""
        longest = (self.identities.configuration(model) or {}).get("max_position_embeddings")
        for name in ("seqlen", "calibration_seqlen"):
            asked = getattr(self.grid.run, name)
            if asked and isinstance(longest, int) and asked > longest:
                raise SparsitySolverError(f"{name}={asked}: model '{model}' takes windows of 2 to {longest} tokens.")


def target(cell: Cell) -> str:
    """Path segment of a cell's pruned model: its task where every task has its own, else the kind of its task.

    Pruned models are temporary. One for both kinds would have to be made again for the second kind asked for, and
    Snakemake would then evaluate the first kind's cells again, ``ancient`` or not: the model is not there.
    """
    own = PER_TASK in (cell.row.reconstruction, cell.row.reward)
    return cell.task if own else registry.tasks_table()[cell.task].kind


def _searcher(row: registry.MethodRow) -> str:
    """The method whose search a row takes its strategy from: the first that searches alike."""

    def kind(other: registry.MethodRow) -> tuple[str, ...]:
        return other.allocator, other.granularity, other.reward, other.search

    return next(other.key for other in registry.methods_table().values() if kind(other) == kind(row))
