"""Figure 3: perplexity against sparsity, parameters and measured speed of the structured methods."""

import sys

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.pareto import draw_pareto as draw

if __name__ == "__main__":
    sys.exit(main("figure3", draw))
