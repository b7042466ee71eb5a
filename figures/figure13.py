"""Figure 13: the strategy at several episodes of one search."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.evolution import draw_evolution as draw

if __name__ == "__main__":
    raise SystemExit(main("figure13", draw))
