"""Every kind of job on a model, and the job that a path's wildcards stand for: a rule of Snakemake each (no torch)."""

from collections.abc import Callable
from typing import Any

from sparsitysolver.plans import job, measurements, self_pruner, transfer
from sparsitysolver.plans.arena import Arena, Problem
from sparsitysolver.plans.artefacts import SHARED, Artefacts
from sparsitysolver.plans.grid import Cell


def stages(artefacts: Artefacts, arena: Arena) -> dict[job.Stage, Callable[[Any], job.Job]]:
    """The stages in the order of the work, each with what finds a job by the wildcards of its path."""

    def cell(w: Any) -> Cell:
        """The cell that a path belongs to; what all tasks share stands for the grid's own."""
        task = w.get("task") or w.target
        return Cell(w.model, w.method, w.sparsity, w.seed, artefacts.grid.task if task in SHARED else task)

    def problem(w: Any) -> Problem:
        return Problem(w.model, w.granularity, w.sparsity, w.seed)

    return {
        job.SAMPLE: lambda w: artefacts.sample(w.model, w.draw),
        job.CALIBRATE: lambda w: artefacts.calibrate(w.model, w.draw, w.granularity),
        job.PREFLIGHT: lambda w: measurements.preflight(artefacts, w.model),
        job.SEARCH: lambda w: artefacts.search(cell(w)),
        job.PRUNE: lambda w: artefacts.prune(cell(w), w.target),
        job.EVALUATE: lambda w: artefacts.evaluate(cell(w)),
        job.INFERENCE: lambda w: measurements.inference(artefacts, w.model),
        job.RECONSTRUCTION: lambda w: measurements.study(artefacts, w.model, w.sparsity, w.seed),
        job.TRANSFER: lambda w: transfer.score(artefacts, w.model),
        job.SELF_PRUNER: lambda _: self_pruner.inference(artefacts),
        job.ARENA_SEARCH: lambda w: arena.search(problem(w), w.entrant),
        job.ARENA_SCORE: lambda w: arena.score(problem(w)),
    }
