"""The arena: best validation perplexity against evaluated tokens, for every search."""

from sparsitysolver.reporting.plots.arena import draw_arena as draw
from sparsitysolver.reporting.plots.command import main

if __name__ == "__main__":
    raise SystemExit(main("arena", draw))
