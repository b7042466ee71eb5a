"""The transfer matrix of a grid: which strategies are scored on which model, and where the records lie (no torch)."""

import shlex

from sparsitysolver.config.grid import RESULTS, Cell
from sparsitysolver.config.registry import SEARCHING
from sparsitysolver.plans import resources
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.records.files import content_key

SPARSITY = "0.2"


def searched(artefacts: Artefacts, model: str) -> Cell:
    """The search whose strategy stands for a model: structured, first seed, on the grid's own text."""
    grid = artefacts.grid
    return Cell(model, SEARCHING, SPARSITY, grid.seeds[0], grid.task)


def strategies(artefacts: Artefacts) -> list[str]:
    """The strategies of all models of the grid, in order."""
    return [artefacts.strategy_path(searched(artefacts, model)) for model in artefacts.grid.models]


def inputs(artefacts: Artefacts, model: str) -> dict[str, str | list[str]]:
    """Files that scoring all strategies on a model reads, by the option that names them."""
    return artefacts.calibrated(searched(artefacts, model)) | {"strategies": strategies(artefacts)}


def options(artefacts: Artefacts, model: str) -> str:
    """The scoring as options of ``sparsitysolver study transfer``; the criterion is that of the model's search."""
    criterion = artefacts.search_settings(searched(artefacts, model)).get("criterion")
    chosen = f" --criterion {shlex.quote(criterion)}" if criterion else ""
    return f"--sparsity {SPARSITY} --task {artefacts.grid.task} --split test{chosen}"


def record_path(artefacts: Artefacts, model: str) -> str:
    """Path of the record of a model under all strategies; its key is over all that decides it."""
    parts = [artefacts.identities.model(model), artefacts.identities.precision(model), inputs(artefacts, model)]
    parts += [artefacts.identities.text(artefacts.grid.task), options(artefacts, model)]
    return f"{RESULTS}/transfer/{model}/{content_key(parts)}.json"


def records(artefacts: Artefacts) -> list[str]:
    """The records behind the matrix: one for every model of the grid."""
    return [record_path(artefacts, model) for model in artefacts.grid.models]


def minutes(artefacts: Artefacts, model: str) -> int:
    """Estimated run time: one evaluation for every strategy, the dense model and uniform pruning."""
    return resources.evaluate_minutes(artefacts, model, artefacts.grid.task, len(artefacts.grid.models) + 2)
