"""Figure 6: reward and perplexity of PPO over episodes, beside AMC and AGMC."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.curves import draw_curves as draw

if __name__ == "__main__":
    raise SystemExit(main("figure6", draw))
