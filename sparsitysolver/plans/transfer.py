"""The transfer matrix of a grid: the strategies of all models scored on each (no torch)."""

import functools

from sparsitysolver.config.registry import SEARCHING
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell
from sparsitysolver.plans.job import TRANSFER, Job, as_options
from sparsitysolver.sources import stage_code

SPARSITY = "0.2"


@functools.cache
def score(artefacts: Artefacts, model: str) -> Job:
    """A model under the strategies of all models: each of its structured search, first seed, on the grid's own text.

    The criterion is that of the model's own search.
    """
    grid, identities = artefacts.grid, artefacts.identities
    cells = {other: Cell(other, SEARCHING, SPARSITY, grid.seeds[0], grid.task) for other in grid.models}
    inputs = artefacts.calibrated(cells[model]) | {"strategies": [artefacts.search(one).path for one in cells.values()]}
    criterion = artefacts.search_settings(cells[model]).get("criterion")
    asked = {"sparsity": SPARSITY, "task": grid.task, "split": "test"} | grid.run.evaluated()
    options = as_options(asked | ({"criterion": criterion} if criterion else {}))
    return Job(
        TRANSFER,
        {"model": model},
        decided_by=[identities.model(model), identities.precision(model), inputs, identities.text(grid.task), options],
        inputs=inputs,
        options=options,
        code=stage_code("transfer_study", grid.task),
        tokens=(len(grid.models) + 2) * artefacts.evaluation_tokens(grid.task),  # the dense and the uniform one too
        gated=True,
    )


def records(artefacts: Artefacts) -> list[str]:
    """The records behind the matrix: one for every model of the grid."""
    return [score(artefacts, model).path for model in artefacts.grid.models]
