"""Self-Pruner's own table on a grid: which cells and times it is made of (no torch)."""

from sparsitysolver.config.self_pruner import definition
from sparsitysolver.plans import measurements
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell
from sparsitysolver.plans.job import SELF_PRUNER, Job
from sparsitysolver.search.algorithms import DRIVEN

NAME = "self_pruner"


def cells(artefacts: Artefacts) -> list[Cell]:
    """Cells of the dense model and of every row at both compressions, on all zero-shot tasks."""
    made = [("dense", "0", "0"), *((cell.method, cell.sparsity, cell.seed) for cell in _pruned(artefacts))]
    return [Cell(_model(artefacts), *axes, task) for axes in made for task in artefacts.grid.tasks]


def inference(artefacts: Artefacts) -> Job:
    """Generation of the dense model and of the table's rows."""
    return measurements.timing(artefacts, SELF_PRUNER, _model(artefacts), _pruned(artefacts))


def _model(artefacts: Artefacts) -> str:
    """The model of the table: the grid's own for it, else that of its zero-shot tables."""
    return (artefacts.grid.own_models(NAME) or artefacts.grid.table_models("table3"))[0]


def _pruned(artefacts: Artefacts) -> list[Cell]:
    grid = artefacts.grid
    return [
        Cell(_model(artefacts), method, published.sparsity, grid.seeds[0], grid.task)
        for method in definition().methods
        if grid.chat or method not in DRIVEN
        for published in definition().published
    ]
