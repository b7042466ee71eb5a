"""Figure 12: unstructured strategies of every model beside OWL's, by weight matrix."""

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import page
from sparsitysolver.reporting.plots.strategies import matrices_panels


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """One wide panel a model, in two columns where there are more than six."""
    panels = matrices_panels(data["strategies"], definition.setting("sparsity"))
    return Picture(page(panels, columns=1 if len(panels) <= 6 else 2))


if __name__ == "__main__":
    raise SystemExit(main("figure12", draw))
