"""Which records are collected into the files that tables and figures read (no torch)."""

from collections.abc import Iterable

from sparsitysolver.config.grid import RESULTS, Cell
from sparsitysolver.config.registry import SEARCHING
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import measurements, needs
from sparsitysolver.plans.artefacts import Artefacts, searches


def records(artefacts: Artefacts, collection: str) -> list[str]:
    """Records behind a collection: ``cells`` and other kinds, of everything or of one target (``cells_table2``).

    Raises:
        SparsitySolverError: the cells cannot stand in one table, which is told before any of them is made.
    """
    kind, _, of = collection.partition("_")
    paths = {
        needs.CELLS: artefacts.cell_path,
        needs.STRATEGIES: lambda cell: (artefacts.strategy_path if searches(cell.row) else artefacts.cell_path)(cell),
        needs.CURVES: artefacts.strategy_path,
        needs.INFERENCE: lambda cell: measurements.inference_path(artefacts, cell.model),
        needs.RECONSTRUCTION: lambda cell: measurements.study_path(artefacts, cell),
    }
    needed = needs.needed(artefacts.grid, kind, of or None)
    if kind == needs.CELLS:
        _check_precision(artefacts, dict.fromkeys(cell.model for cell in needed))
    return list(dict.fromkeys(map(paths[kind], needed)))


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
    return [f"{RESULTS}/{kind}_{figure}.csv" for kind in needs.kinds(figure)]


def settings_strategies(artefacts: Artefacts) -> list[str]:
    """Strategies whose agent's settings are Table 7: the structured searches of Table 2."""
    grid = artefacts.grid
    models = grid.own_models("table7") or grid.models
    return [artefacts.strategy_path(Cell(model, SEARCHING, "0.2", "0", grid.task)) for model in models]
