"""Figure 11: structured strategies: searches that differ in their seed alone, then one strategy a model."""

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import page
from sparsitysolver.reporting.plots.rows import select
from sparsitysolver.reporting.plots.strategies import searches_panels, structured_panels


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """Two panels of the model with most searches at one sparsity, and a panel for every model at the other."""
    method, sparsity, other = map(definition.setting, ("method", "sparsity", "seeds_sparsity"))
    searches = select(data["strategies"], granularity="structured", method=method, sparsity=other)
    counts = searches.groupby("model", sort=False)["key"].nunique()
    most = counts.idxmax()
    panels = searches_panels(searches[searches["model"] == most], f"{most}, {other:.0%}")
    panels += structured_panels(data["strategies"], sparsity, method)
    return Picture(page(panels), {"searches": str(counts.max()), "seeds_model": most})


if __name__ == "__main__":
    raise SystemExit(main("figure11", draw))
