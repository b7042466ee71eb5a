"""Figure 10: reward and perplexity of the structured search on the grid's third model."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.curves import draw_curves as draw

if __name__ == "__main__":
    raise SystemExit(main("figure10", draw))
