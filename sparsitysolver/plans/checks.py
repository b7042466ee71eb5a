"""Checks of a grid: the cells that are watched for regressions, and the dense perplexity that pruning waits for."""

import shlex
from pathlib import Path

from sparsitysolver.config.anchors import published_anchors, standard_anchor
from sparsitysolver.config.grid import RESULTS, Cell, Grid
from sparsitysolver.config.regression import watched_cells
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.sources import project_file

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


def regression_options(grid: Grid) -> str:
    """The comparison as options of ``sparsitysolver report regression``: accepted values of other runs are left out."""
    accepted = [word for path in accepted_inputs(grid) for word in ("--accepted", path)]
    return shlex.join(["--grid", grid.name, "--models", *grid.models, "--seeds", *grid.seeds, *accepted])


def dense_path(artefacts: Artefacts, model: str) -> str:
    """Path of the dense cell by which a model is recognised."""
    return artefacts.cell_path(_dense(artefacts, model))


def preflight_path(artefacts: Artefacts, model: str) -> str:
    """Path of the record that a model's dense perplexity is the published one."""
    return f"{RESULTS}/preflight/{model}/{artefacts.cell_key(_dense(artefacts, model))}.json"


def preflight_inputs(artefacts: Artefacts, model: str) -> list[str]:
    """What pruning a model waits for: its preflight, if its dense perplexity on the grid's task is published."""
    known = standard_anchor(published_anchors(model), artefacts.grid.task)
    return [preflight_path(artefacts, model)] if known else []


def _dense(artefacts: Artefacts, model: str) -> Cell:
    return Cell(model, "dense", "0", "0", artefacts.grid.task)
