"""Figure 4: strategies found: unstructured ones beside OWL's, structured ones with MHA and FFN apart."""

import sys

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.contracts import models_of, select
from sparsitysolver.reporting.plots.panels import page
from sparsitysolver.reporting.plots.strategies import (
    kind_entries,
    matrices_panel,
    method_entries,
    structured_panel,
    uniform_entry,
)

NAME = "strategies_figure4.csv"


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """Panels of weight matrices for the first models, then panels of layers; settings say how many of each."""
    panels, legend = [], {}
    chosen = definition.setting("unstructured")
    matrices = select(data["strategies"], NAME, granularity="unstructured", sparsity=chosen.sparsity)
    for model in models_of(matrices)[: chosen.models]:
        of_model = matrices[matrices["model"] == model]
        panels.append(matrices_panel(of_model, f"{model}, {chosen.sparsity:.0%}", NAME))
        legend |= method_entries(of_model)
    chosen = definition.setting("structured")
    units = select(data["strategies"], NAME, granularity="structured", sparsity=chosen.sparsity)
    units = select(units, NAME, method=chosen.method)
    for model in models_of(units)[: chosen.models]:
        panels.append(structured_panel(units[units["model"] == model], f"{model}, {chosen.sparsity:.0%}", NAME))
    return Picture(page(panels, legend | kind_entries() | uniform_entry()))


if __name__ == "__main__":
    sys.exit(main("figure4", draw))
