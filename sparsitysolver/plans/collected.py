"""Which records are collected into the files that tables and figures read (no torch)."""

from collections.abc import Iterable

from sparsitysolver.config.figures import load_figure
from sparsitysolver.config.grid import RESULTS, Cell
from sparsitysolver.config.registry import SEARCHING
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import checks, measurements, needs, self_pruner
from sparsitysolver.plans.arena import ARENA
from sparsitysolver.plans.artefacts import Artefacts, searches
from sparsitysolver.plans.job import Job


def records(artefacts: Artefacts, collection: str) -> list[str]:
    """Records behind a collection: ``cells`` and other kinds, of everything or of one target (``cells_table2``).

    Raises:
        SparsitySolverError: the cells cannot stand in one table, which is told before any of them is made.
    """
    kind, _, of = collection.partition("_")
    own = {"regression": checks.regression_cells, self_pruner.NAME: lambda _: self_pruner.cells(artefacts)}
    needed = own[of](artefacts.grid) if of in own else needs.needed(artefacts.grid, kind, of or None)
    if kind == needs.CELLS:
        _check_precision(artefacts, dict.fromkeys(cell.model for cell in needed))
    return list(dict.fromkeys(_job(artefacts, kind, cell).path for cell in needed))


def _job(artefacts: Artefacts, kind: str, cell: Cell) -> Job:
    """The job behind one record of a kind; allocators that do not search have their strategy in the cell."""
    if kind == needs.INFERENCE:
        return measurements.inference(artefacts, cell.model)
    if kind == needs.RECONSTRUCTION:
        return measurements.study(artefacts, cell.model, cell.sparsity, cell.seed)
    searched = kind == needs.CURVES or (kind == needs.STRATEGIES and searches(cell.row))
    return artefacts.search(cell) if searched else artefacts.evaluate(cell)


def _check_precision(artefacts: Artefacts, models: Iterable[str]) -> None:
    """Refuse models that would run in different precisions: collecting their cells refuses those."""
    by_dtype: dict[str, list[str]] = {}
    for model in models:
        _, dtype, _ = artefacts.identities.precision(model)
        by_dtype.setdefault(dtype, []).append(model)
    if len(by_dtype) > 1:
        found = "; ".join(f"{dtype}: {', '.join(names)}" for dtype, names in by_dtype.items())
        raise SparsitySolverError(
            f"cells of one table must share their precision, and here it differs ({found}). Name one for all models by "
            f"'dtype' in config/grids/{artefacts.grid.name}.yaml, or models that share theirs by --config models=a,b."
        )


def table_curves(artefacts: Artefacts, table: str) -> list[str]:
    """The collected curves of a table with rows that are read from searches."""
    return [f"{RESULTS}/{needs.CURVES}_{table}.csv"] if needs.needed(artefacts.grid, needs.CURVES, table) else []


def figure_files(figure: str) -> list[str]:
    """The collected files that a figure is drawn from."""
    if figure == ARENA:
        return [f"{RESULTS}/anytime_arena.csv"]
    return [f"{RESULTS}/{kind}_{figure}.csv" for kind in needs.kinds(figure)]


def settings_strategies(artefacts: Artefacts) -> list[str]:
    """Strategies whose agent's settings are Table 7: the structured searches of Table 2."""
    grid = artefacts.grid
    models = grid.own_models("table7") or grid.models
    return [artefacts.search(Cell(model, SEARCHING, "0.2", "0", grid.task)).path for model in models]


def figure_title(figure: str) -> str:
    """The title of a figure, in words."""
    return load_figure(figure).title
