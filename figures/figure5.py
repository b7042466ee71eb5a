"""Figure 5: perplexity and time of reconstruction against the number of samples."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.reconstruction import draw_reconstruction as draw

if __name__ == "__main__":
    raise SystemExit(main("figure5", draw))
