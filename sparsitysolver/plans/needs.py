"""What tables, figures and studies need: cells, searches, measurements, by the file that collects them (no torch)."""

import functools
from collections.abc import Iterator
from itertools import product

from sparsitysolver.config.figures import KINDS, Need, Study, figures, load_figure, load_study, studies
from sparsitysolver.config.registry import method
from sparsitysolver.config.tables import DENSE
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans.grid import Cell, Grid

CELLS, STRATEGIES, CURVES, INFERENCE, RECONSTRUCTION = KINDS
STUDIED = "uniform_recon"  # stands for reconstruction studies, which have the uniform strategy


@functools.cache
def figure(name: str) -> Study:
    """The definition of a figure, or of a study: measurements that no table or figure shows, for claims alone."""
    return load_study(name) if name in studies() else load_figure(name)


def drawable(grid: Grid) -> list[str]:
    """The figures that a grid has models for: one that shows the third model needs three."""
    return [name for name in figures() if grid.own_models(name) or figure(name).first_model < len(grid.models)]


def kinds(target: str) -> list[str]:
    """The kinds of results that a figure is drawn from."""
    return figure(target).kinds


@functools.cache
def needed(grid: Grid, kind: str, target: str | None = None) -> tuple[Cell, ...]:
    """Cells, searches or measurements of one kind that a target needs, or without target all, each once.

    A search is named by a cell of a method that searches, on the grid's own perplexity task.
    """
    targets = [target] if target else [*grid.tables(), *drawable(grid), *studies()]
    return tuple(dict.fromkeys(cell for name in targets for cell in _of_target(grid, kind, name)))


def _of_target(grid: Grid, kind: str, target: str) -> Iterator[Cell]:
    if target not in grid.tables():
        for need in figure(target).needs:
            if need.kind == kind:
                yield from _of_need(grid, target, need)
    elif kind == CELLS:
        yield from grid.table_cells(target)
    elif kind == CURVES:  # which rows with a ``quantity`` report
        table = grid.table(target)
        rows = (row for row in table.all_rows if row.quantity)
        for row, model, seed in product(rows, grid.table_models(target), grid.seeds):
            yield Cell(model, row.method, str(row.sparsity or table.sparsities[0]), seed, grid.task)


def _of_need(grid: Grid, target: str, need: Need) -> Iterator[Cell]:
    """Cells of one entry of ``needs``; the reconstruction study has no method: it is the uniform strategy's."""
    seeds = grid.seeds if need.seeds is None else [str(index) for index in range(need.seeds)]
    for model, name in product(figure_models(grid, target)[: need.models], need.methods or [STUDIED]):
        axes = [("0", "0")] if name == DENSE else product(map(str, need.sparsities), seeds)
        yield from (Cell(model, name, sparsity, seed, grid.task) for sparsity, seed in axes)


def study_samples(grid: Grid, cell: Cell) -> list[int]:
    """Numbers of samples of a reconstruction study: those of every target that needs it, so that it is made once."""
    asked = [(target, need) for target in [*drawable(grid), *studies()] for need in figure(target).needs]
    found = [need for target, need in asked if need.kind == RECONSTRUCTION and cell in _of_need(grid, target, need)]
    return sorted({count for need in found for count in need.samples or grid.study_samples})


def figure_models(grid: Grid, target: str) -> list[str]:
    """The models of a figure: those the grid names for it, else its own number of the grid's models."""
    named, definition = grid.own_models(target), figure(target)
    if named is not None:
        return named
    start, count = definition.first_model, definition.models
    models = grid.models[start : start + count if count else None]
    if not models:
        raise SparsitySolverError(
            f"{target} shows the grid's model number {start + 1}, and grid '{grid.name}' has {len(grid.models)} here: "
            f"{', '.join(grid.models)}. Name more with --config models=a,b,c."
        )
    return models


def first_search(cell: Cell) -> Cell | None:
    """The search whose agent a warm-started search begins with."""
    given = method(cell.method).search_options.get("warm_start")
    if given is None:
        return None
    name, sparsity = given.split("@")
    return Cell(cell.model, name, sparsity, cell.seed, cell.task)
