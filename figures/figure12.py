"""Figure 12: unstructured strategies of every model beside OWL's, by weight matrix."""

import sys

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.contracts import models_of, select
from sparsitysolver.reporting.plots.panels import page
from sparsitysolver.reporting.plots.strategies import matrices_panel, method_entries, uniform_entry

NAME = "strategies_figure12.csv"
MOST_IN_ONE_COLUMN = 6


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """One wide panel a model, in two columns where there are many models."""
    sparsity = definition.setting("sparsity")
    matrices = select(data["strategies"], NAME, granularity="unstructured", sparsity=sparsity)
    panels = [
        matrices_panel(matrices[matrices["model"] == model], f"{model}, {sparsity:.0%}", NAME)
        for model in models_of(matrices)
    ]
    columns = 1 if len(panels) <= MOST_IN_ONE_COLUMN else 2
    return Picture(page(panels, method_entries(matrices) | uniform_entry(), columns), {"sparsity": f"{sparsity:.0%}"})


if __name__ == "__main__":
    sys.exit(main("figure12", draw))
