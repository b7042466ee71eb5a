"""Figure 4: strategies found: unstructured ones beside OWL's, structured ones with MHA and FFN apart."""

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import page
from sparsitysolver.reporting.plots.strategies import matrices_panels, structured_panels


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """Panels of weight matrices for the first models, then panels of layers; settings say how many of each."""
    matrices, layers = definition.setting("unstructured"), definition.setting("structured")
    panels = matrices_panels(data["strategies"], matrices.sparsity, matrices.models)
    panels += structured_panels(data["strategies"], layers.sparsity, layers.method, layers.models)
    return Picture(page(panels))


if __name__ == "__main__":
    raise SystemExit(main("figure4", draw))
