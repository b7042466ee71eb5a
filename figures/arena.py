"""The arena: best validation perplexity against evaluated tokens, for every search."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import UNIFORM, Line, Panel, page
from sparsitysolver.reporting.plots.rows import FILE, by_method, by_model, check_once, over


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a problem, one panel a family of searches, one line a search; the band is over seeds.

    Settings: ``families`` (title to names of searches).
    """
    check_once(data["anytime"], "model", "granularity", "sparsity", "algorithm", "seed", "share")
    frame, families = data["anytime"].rename(columns={"algorithm": "method"}), definition.setting("families")
    panels = [
        _panel(f"{family}\n{model}, {granularity} {sparsity:g}", rows)
        for model, of_model in by_model(frame)
        for (granularity, sparsity), problem in of_model.groupby(["granularity", "sparsity"], sort=False)
        for family, names in families.items()
        if len(rows := problem[problem["method"].isin(names)])
    ]
    if not panels:
        named = ", ".join(sorted(set(itertools.chain(*families.values()))))
        raise SparsitySolverError(f"{frame.attrs[FILE]}: no search of the figure's families, which are {named}.")
    return Picture(page(panels, columns=len(families), row_height=1.9, width=7.0))  # inches: both columns of a page


def _panel(title: str, rows: pd.DataFrame) -> Panel:
    lines = []
    for rank, method in enumerate(by_method(rows)):
        _, values = over(method.rows, "share", "validation_ppl", whole=False)
        tokens = method.rows.groupby("share")["tokens"].mean().to_numpy()
        lines.append(Line(method.label, method.style, tokens, values, rank))
    uniform, ppl = rows["uniform_ppl"].mean(), rows["validation_ppl"]

    def finish(ax: Axes) -> None:
        ax.set_xscale("log")
        low = ppl.min()
        high = min(ppl.max(), uniform + 1.5 * (uniform - low))
        if np.isfinite(uniform) and high > low:  # early candidates far above uniform would flatten all that matters
            room = 0.05 * (high - low)
            ax.set_ylim(low - room, high + room)

    reference = (UNIFORM, uniform) if np.isfinite(uniform) else None
    return Panel(title, "evaluated tokens", "validation perplexity", lines, reference, finish)


if __name__ == "__main__":
    raise SystemExit(main("arena", draw))
