"""Figure 5: perplexity and time of reconstruction against the number of samples."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import known
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import Line, Panel, log_if_wide, page
from sparsitysolver.reporting.plots.rows import FILE, by_model, over, refuse
from sparsitysolver.reporting.plots.style import looks

QUANTITIES = {"ppl": "perplexity", "seconds_per_module": "seconds per module"}
_MOST_TICKS = 6


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """Two panels a model and sparsity, over samples to base 2; a row of no samples becomes a line across."""
    frame = data["reconstruction"]
    for line, modules in frame["modules"].items():
        known(f"modules in {frame.attrs[FILE]}, line {line}:", modules, looks().kinds)
    refuse(frame, frame["samples"] < 0, "{samples:g} samples.")
    panels = [
        _panel(f"{model}, {sparsity:.0%}", study, quantity)
        for model, rows in by_model(frame)
        for sparsity, study in rows.groupby("sparsity")
        for quantity in definition.shown(tuple(QUANTITIES))
    ]
    sparsities = ", ".join(f"{value:.0%}" for value in sorted(set(frame["sparsity"])))
    return Picture(page(panels, row_height=1.6), {"sparsity": sparsities})


def _panel(title: str, study: pd.DataFrame, quantity: str) -> Panel:
    """One quantity of one study, one line a choice of modules; the band is over seeds."""
    sampled, without = study[study["samples"] > 0], study[study["samples"] == 0]
    chosen = ((sampled[sampled["modules"] == kind], style) for kind, style in looks().kinds.items())
    lines = [Line(style.label, style, *over(rows, "samples", quantity)) for rows, style in chosen if len(rows)]

    def finish(ax: Axes) -> None:
        log_if_wide(ax, sampled[quantity].to_numpy())
        samples = np.unique(sampled["samples"])
        if len(samples):
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_locator(FixedLocator(samples[:: -(-len(samples) // _MOST_TICKS)]))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))

    has_line = quantity == "ppl" and len(without)
    reference = ("without reconstruction", without["ppl"].mean()) if has_line else None
    return Panel(title, "samples", QUANTITIES[quantity], lines, reference, finish)


if __name__ == "__main__":
    raise SystemExit(main("figure5", draw))
