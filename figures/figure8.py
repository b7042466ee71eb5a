"""Figure 8: reward and perplexity of the structured search on the grid's first model."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.curves import draw_curves as draw

if __name__ == "__main__":
    raise SystemExit(main("figure8", draw))
