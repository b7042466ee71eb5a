"""Self-Pruner's own table on a grid: which cells and times it is made of, and where they lie (no torch)."""

from sparsitysolver.config.grid import RESULTS, Cell
from sparsitysolver.config.self_pruner import definition
from sparsitysolver.plans.artefacts import TIMED, Artefacts
from sparsitysolver.plans.measurements import inference_key
from sparsitysolver.search.algorithms import DRIVEN

NAME = "self_pruner"


def model(artefacts: Artefacts) -> str:
    """The model of the table: the grid's own for it, else that of its zero-shot tables."""
    return (artefacts.grid.own_models(NAME) or artefacts.grid.table_models("table3"))[0]


def cells(artefacts: Artefacts) -> list[str]:
    """Cells of the dense model and of every row at both compressions, on all zero-shot tasks."""
    grid = artefacts.grid
    pruned = [(cell.method, cell.sparsity) for cell in _pruned(artefacts)]
    return [
        artefacts.cell_path(Cell(model(artefacts), method, sparsity, grid.seeds[0] if sparsity != "0" else "0", task))
        for method, sparsity in [("dense", "0"), *pruned]
        for task in grid.tasks
    ]


def timed_folders(artefacts: Artefacts) -> list[str]:
    """Folders of the pruned models whose generation is timed."""
    return [artefacts.pruned_path(cell, TIMED) for cell in _pruned(artefacts)]


def inference_path(artefacts: Artefacts) -> str:
    """Path of the record of their times beside the dense model's."""
    name = model(artefacts)
    return f"{RESULTS}/inference/{NAME}/{name}/{inference_key(artefacts, name, _pruned(artefacts))}.json"


def _pruned(artefacts: Artefacts) -> list[Cell]:
    grid = artefacts.grid
    return [
        Cell(model(artefacts), method, published.sparsity, grid.seeds[0], grid.task)
        for method in definition().methods
        if grid.chat or method not in DRIVEN
        for published in definition().published
    ]
