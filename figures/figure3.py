"""Figure 3: perplexity against sparsity, parameters and measured speed of the structured methods."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.pareto import draw_pareto as draw

if __name__ == "__main__":
    raise SystemExit(main("figure3", draw))
