"""Which records are collected into the files that tables and figures read (no torch)."""

from sparsitysolver.config.paper import watched_cells
from sparsitysolver.config.registry import SEARCHING
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import measurements, needs, self_pruner
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.plans.job import Job


def records(artefacts: Artefacts, collection: str) -> list[str]:
    """Records behind a collection: ``cells`` and other kinds, of everything or of one target (``cells_table2``).

    Raises:
        SparsitySolverError: the cells cannot stand in one table, which is told before any of them is made.
    """
    kind, _, of = collection.partition("_")
    if of == "regression":
        needed = regression_cells(artefacts.grid)
    elif of == self_pruner.NAME:
        needed = self_pruner.cells(artefacts)
    else:
        needed = needs.needed(artefacts.grid, kind, of or None)
    by_dtype: dict[str, list[str]] = {}
    for model in dict.fromkeys(cell.model for cell in needed):
        by_dtype.setdefault(artefacts.identities.precision(model)[1], []).append(model)
    if kind == needs.CELLS and len(by_dtype) > 1:  # collecting them would refuse them
        found = "; ".join(f"{dtype}: {', '.join(names)}" for dtype, names in by_dtype.items())
        raise SparsitySolverError(
            f"cells of one table must share their precision, and here it differs ({found}). Name one for all models by "
            f"'dtype' in config/grids/{artefacts.grid.name}.yaml, or models that share theirs by --config models=a,b."
        )
    return list(dict.fromkeys(_job(artefacts, kind, cell).path for cell in needed))


def regression_cells(grid: Grid) -> list[Cell]:
    """The cells watched for regressions, on every model of the grid at its own perplexity task."""
    return [
        Cell(model, cell.method, str(cell.sparsity or 0), seed, grid.task)
        for cell in watched_cells()
        for model in grid.models
        for seed in (grid.seeds if cell.sparsity else ["0"])
    ]


def _job(artefacts: Artefacts, kind: str, cell: Cell) -> Job:
    """The job behind one record of a kind; allocators that do not search have their strategy in the cell."""
    if kind == needs.INFERENCE:
        return measurements.inference(artefacts, cell.model)
    if kind == needs.RECONSTRUCTION:
        return measurements.study(artefacts, cell.model, cell.sparsity, cell.seed)
    searched = kind == needs.CURVES or (kind == needs.STRATEGIES and cell.row.allocator == SEARCHING)
    return artefacts.search(cell) if searched else artefacts.evaluate(cell)
