"""Every kind of job on a model, and the job that a path's wildcards stand for: a rule of Snakemake each (no torch)."""

from collections.abc import Callable
from typing import Any

from sparsitysolver.config.grid import Cell
from sparsitysolver.plans import checks, measurements, self_pruner, transfer
from sparsitysolver.plans.arena import Arena, Problem
from sparsitysolver.plans.artefacts import SHARED, Artefacts
from sparsitysolver.plans.job import (
    ARENA_SCORE,
    ARENA_SEARCH,
    CALIBRATE,
    EVALUATE,
    INFERENCE,
    PREFLIGHT,
    PRUNE,
    RECONSTRUCTION,
    SAMPLE,
    SEARCH,
    SELF_PRUNER,
    TRANSFER,
    Job,
    Stage,
)


def stages(artefacts: Artefacts, arena: Arena) -> dict[Stage, Callable[[Any], Job]]:
    """The stages in the order of the work, each with what finds a job by the wildcards of its path."""

    def cell(w: Any) -> Cell:
        """The cell that a path belongs to; what all tasks share stands for the grid's own."""
        task = w.get("task") or w.target
        return Cell(w.model, w.method, w.sparsity, w.seed, artefacts.grid.task if task in SHARED else task)

    def problem(w: Any) -> Problem:
        return Problem(w.model, w.granularity, w.sparsity, w.seed)

    return {
        SAMPLE: lambda w: artefacts.sample(w.model, w.draw),
        CALIBRATE: lambda w: artefacts.calibrate(w.model, w.draw, w.granularity),
        PREFLIGHT: lambda w: checks.preflight(artefacts, w.model),
        SEARCH: lambda w: artefacts.search(cell(w)),
        PRUNE: lambda w: artefacts.prune(cell(w), w.target),
        EVALUATE: lambda w: artefacts.evaluate(cell(w)),
        INFERENCE: lambda w: measurements.inference(artefacts, w.model),
        RECONSTRUCTION: lambda w: measurements.study(artefacts, w.model, w.sparsity, w.seed),
        TRANSFER: lambda w: transfer.score(artefacts, w.model),
        SELF_PRUNER: lambda _: self_pruner.inference(artefacts),
        ARENA_SEARCH: lambda w: arena.search(problem(w), w.entrant),
        ARENA_SCORE: lambda w: arena.score(problem(w)),
    }
