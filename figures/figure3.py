"""Figure 3: perplexity against sparsity, parameters and measured speed of the structured methods."""

import math

import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import Panel, log_if_wide, page
from sparsitysolver.reporting.plots.rows import (
    DENSE,
    FILE,
    Method,
    by_method,
    by_model,
    check_once,
    check_times,
    refuse,
    select,
)

_RECON = "_recon"  # reconstruction changes weights, not shapes: a method and its twin are equally fast


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """Up to three panels a model, one line a method, perplexity on a logarithmic axis where it spans much.

    Settings: ``panels`` (of label, parameters, latency), ``split`` (of the cells), ``phase`` (prefill or decode).
    """
    phase = definition.setting("phase")
    titles = {
        "label": "sparsity asked for (%)",
        "parameters": "parameters, times dense",
        "latency": f"{phase} speed, times dense",
    }
    chosen = definition.shown(tuple(titles))
    cells = select(data["cells"], status="ok", metric="ppl", split=definition.setting("split"))
    check_once(cells, "model", "method", "sparsity", "seed")
    if "latency" in chosen:
        check_times(data["inference"])
    methods, models, panels, unmeasured = by_method(cells), by_model(cells), [], {}
    for model, rows in models:
        table = _points(rows)
        if "latency" in chosen:
            times = data["inference"]
            table["latency"] = _speeds(table, times[times["model"] == model], phase)
            some = table.groupby("method")["latency"].any()
            unmeasured |= {m.label: None for m in methods if not some.get(m.key, True)}
        panels += [_panel(model, titles[axis], table, methods, axis) for axis in chosen]
    facts = {"phase": phase, "models": ", ".join(model for model, _ in models)}
    facts["unmeasured"] = ", ".join(unmeasured) or "none"
    return Picture(page(panels, columns=1 if len(chosen) == 1 else 2, row_height=1.85), facts)


def _points(cells: pd.DataFrame) -> pd.DataFrame:
    """Points of one model: perplexity (mean, lowest and highest seed) by method and sparsity, and places on the axes.

    Raises:
        SparsitySolverError: no dense cell, or a cell without its number of parameters.
    """
    lacking = cells["parameters"].isna() | cells["value"].isna()
    refuse(cells, lacking, "a measured cell needs value and parameters.")
    dense = cells[cells["method"] == DENSE]
    if dense.empty:
        raise SparsitySolverError(
            f"{cells.attrs[FILE]}: no dense cell of {cells['model'].iloc[0]}, which others are compared with."
        )
    kept = cells.assign(kept=cells["parameters"] / dense["parameters"].iloc[0])
    groups = kept.groupby(["method", "sparsity"], sort=True)
    ppl = {"ppl": ("value", "mean"), "low": ("value", "min"), "high": ("value", "max")}
    table = groups.agg(**ppl, parameters=("kept", "mean")).reset_index()
    return table.assign(label=100 * table["sparsity"])


def _speeds(table: pd.DataFrame, times: pd.DataFrame, phase: str) -> list[float]:
    """Speedup of every point of one model: that of its method, else of its twin; NaN where neither was measured."""
    measured = times[f"{phase}_speedup"].groupby([times["method"], times["sparsity"].round(9)]).mean()
    speeds = []
    for method, sparsity in zip(table["method"], table["sparsity"].round(9), strict=True):
        twin = method.removesuffix(_RECON) if method.endswith(_RECON) else method + _RECON
        own = measured.get((method, sparsity), measured.get((twin, sparsity), math.nan))
        speeds.append(1.0 if method == DENSE else own)
    return speeds


def _panel(model: str, title: str, table: pd.DataFrame, methods: list[Method], axis: str) -> Panel:
    """One line a method from the weakest pruning on; bars from the lowest to the highest seed."""

    def finish(ax: Axes) -> None:
        for order, method in enumerate(methods, start=3):
            rows = table[(table["method"] == method.key) & table[axis].notna()].sort_values("sparsity")
            look, size = method.style.of_line(), {"markersize": 6.0} if method.key == DENSE else {}
            if len(rows):
                ax.plot(rows[axis], rows["ppl"], label=method.key, zorder=order, **look, **size)
                spread = rows[rows["high"] > rows["low"]]
                ax.vlines(spread[axis], spread["low"], spread["high"], color=look["color"], linewidth=0.7, zorder=2)
        ax.update_datalim([(1, table["low"].min()), (1, table["high"].max())], updatex=False)  # the same in all panels
        log_if_wide(ax, ax.dataLim.intervaly)
        if axis == "parameters":
            ax.invert_xaxis()  # as in the other panels, less of the model to the right

    legend = {method.label: method.style.handle() for method in methods}
    return Panel(model, title, "perplexity", finish=finish, legend=legend)


if __name__ == "__main__":
    raise SystemExit(main("figure3", draw))
