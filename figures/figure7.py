"""Figure 7: an agent trained at one sparsity searches at another."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.curves import draw_curves as draw

if __name__ == "__main__":
    raise SystemExit(main("figure7", draw))
