"""Measurements of a grid's models: preflight, inference times, reconstruction studies (no torch)."""

import functools
from collections.abc import Iterable

from sparsitysolver.config.published import published_anchors, standard_anchor
from sparsitysolver.plans import needs
from sparsitysolver.plans.artefacts import TIMED, Artefacts
from sparsitysolver.plans.grid import Cell
from sparsitysolver.plans.job import INFERENCE, PREFLIGHT, RECONSTRUCTION, Job, Stage, as_options
from sparsitysolver.sources import project_file, source_files, stage_code


@functools.cache
def preflight(artefacts: Artefacts, model: str) -> Job:
    """Whether a model's dense perplexity is the published one: wrong weights or texts stop a run with a diagnosis."""
    task = artefacts.grid.task
    dense = artefacts.evaluate(Cell(model, needs.DENSE, "0", "0", task))
    return Job(
        PREFLIGHT,
        {"model": model},
        decided_by=dense.decided_by,
        inputs={"cell": dense.path, "beside": project_file("config/paper/dense.csv")},
        options=f"--task {task}",
        code=stage_code("preflight", task),
    )


def gate(artefacts: Artefacts, model: str) -> list[str]:
    """What pruning a model waits for: its preflight, if its dense perplexity on the grid's task is published."""
    known, run = standard_anchor(published_anchors(model), artefacts.grid.task), artefacts.grid.run
    if known is None or run.windows or run.dtype or run.seqlen not in (None, known.seqlen):
        return []  # of another protocol nothing is published
    return [preflight(artefacts, model).path]


@functools.cache
def inference(artefacts: Artefacts, model: str) -> Job:
    """Inference times of a model, dense and pruned; one record for all figures."""
    cells = needs.needed(artefacts.grid, needs.INFERENCE)
    return timing(artefacts, INFERENCE, model, (cell for cell in cells if cell.model == model))


def timing(artefacts: Artefacts, stage: Stage, model: str, cells: Iterable[Cell]) -> Job:
    """Inference times of a model and of what was pruned from it."""
    pruned = [artefacts.prune(cell, TIMED) for cell in cells if cell.method != needs.DENSE]
    identities, options = artefacts.identities, as_options(dict(sorted(artefacts.grid.inference.items())))
    return Job(
        stage,
        {"model": model},
        decided_by=[identities.model(model), identities.precision(model), [job.key for job in pruned], options],
        inputs={"models": [job.path for job in pruned]},
        options=options,
        code=source_files("sparsitysolver.stages.inference"),
        tokens=256 * artefacts.window(model),
    )


@functools.cache
def study(artefacts: Artefacts, model: str, sparsity: str, seed: str) -> Job:
    """What reconstruction gains by samples and modules, under the uniform strategy, on the grid's own text.

    It draws as many calibration windows as its largest number of samples.
    """
    cell = Cell(model, needs.STUDIED, sparsity, seed, artefacts.grid.task)
    samples, identities = needs.study_samples(artefacts.grid, cell), artefacts.identities
    ids = artefacts.sample(model, artefacts.draw_of(cell.row, cell.row.reconstruction, max(samples), seed))
    calibrated = artefacts.calibrated(cell)
    options = f"--sparsity {sparsity} --samples {','.join(map(str, samples))} --task {cell.task} --split test"
    options = " ".join(filter(None, (options, as_options(artefacts.grid.run.evaluated()))))
    parts = [identities.model(model), identities.precision(model), options]
    reconstruction = 4 * 255 * artefacts.window(model)  # four passes over 1 + 2 + ... + 128 windows
    return Job(
        RECONSTRUCTION,
        {"model": model, "sparsity": sparsity, "seed": seed},
        decided_by=[*parts, ids.key, identities.text(cell.task), calibrated["stats"]],
        inputs=calibrated | {"reconstruction_calibration": ids.path},
        options=options,
        code=source_files("sparsitysolver.stages.reconstruction_study"),
        tokens=26 * artefacts.evaluation_tokens(cell.task) + 3 * reconstruction,
    )
