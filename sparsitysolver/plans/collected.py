"""Which records are collected into the files that tables and figures read (no torch)."""

from sparsitysolver.grid import RESULTS, Cell
from sparsitysolver.plans import measurements, needs
from sparsitysolver.plans.artefacts import Artefacts, searches
from sparsitysolver.registry import SEARCHING


def records(artefacts: Artefacts, collection: str) -> list[str]:
    """Records behind a collection: ``cells`` and other kinds, of everything or of one target (``cells_table2``)."""
    kind, _, of = collection.partition("_")
    paths = {
        needs.CELLS: artefacts.cell_path,
        needs.STRATEGIES: lambda cell: (artefacts.strategy_path if searches(cell.row) else artefacts.cell_path)(cell),
        needs.CURVES: artefacts.strategy_path,
        needs.INFERENCE: lambda cell: measurements.inference_path(artefacts, cell.model),
        needs.RECONSTRUCTION: lambda cell: measurements.study_path(artefacts, cell),
    }
    return list(dict.fromkeys(map(paths[kind], needs.needed(artefacts.grid, kind, of or None))))


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
