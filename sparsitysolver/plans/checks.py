"""Checks of a grid: the cells that are watched for regressions, and the dense perplexity that pruning waits for."""

import functools
import shlex
from pathlib import Path

from sparsitysolver.config.grid import RESULTS, Cell, Grid
from sparsitysolver.config.paper import watched_cells
from sparsitysolver.config.published import published_anchors, standard_anchor
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.job import PREFLIGHT, Job
from sparsitysolver.sources import project_file, stage_code

ACCEPTED = f"{RESULTS}/accepted"  # the one tracked folder of results: last accepted values, a file per grid


def regression_cells(grid: Grid) -> list[Cell]:
    """The cells watched for regressions, on every model of the grid at its own perplexity task."""
    return [
        Cell(model, cell.method, str(cell.sparsity or 0), seed, grid.task)
        for cell in watched_cells()
        for model in grid.models
        for seed in (grid.seeds if cell.sparsity else ["0"])
    ]


def accepted_inputs(grid: Grid) -> list[str]:
    """The grid's accepted values, if any are stored: beside the results, else in the project."""
    path = f"{ACCEPTED}/{grid.name}.csv"
    return [found for found in (path, project_file(path)) if Path(found).is_file()][:1]


def regression_inputs(grid: Grid) -> list[str]:
    """Files of the project that the comparison is made by."""
    published = (f"paper/{table}.csv" for table in grid.tables())
    names = ("regression/tolerances.csv", "paper/tolerances.csv", "regression/cells.yaml", *published)
    return [project_file(f"config/{name}") for name in names]


def regression_options(grid: Grid) -> str:
    """The comparison as options of ``sparsitysolver report regression``: accepted values of other runs are left out."""
    accepted = [word for path in accepted_inputs(grid) for word in ("--accepted", path)]
    return shlex.join(["--grid", grid.name, "--models", *grid.models, "--seeds", *grid.seeds, *accepted])


@functools.cache
def preflight(artefacts: Artefacts, model: str) -> Job:
    """Whether a model's dense perplexity is the published one: wrong weights or texts stop a run with a diagnosis."""
    dense, task = artefacts.evaluate(Cell(model, "dense", "0", "0", artefacts.grid.task)), artefacts.grid.task
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
    known = standard_anchor(published_anchors(model), artefacts.grid.task)
    return [preflight(artefacts, model).path] if known else []
