"""Figure 14: times, speed and memory of pruned models beside the dense one."""

from sparsitysolver.reporting.plots.command import main
from sparsitysolver.reporting.plots.inference import draw_inference as draw

if __name__ == "__main__":
    raise SystemExit(main("figure14", draw))
