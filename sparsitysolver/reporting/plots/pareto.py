"""Perplexity against what is removed: by the label, by parameters, by measured speed (Figure 3)."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.long_tables import row_name
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import CELLS, INFERENCE, check_once, labels, models_of, select
from sparsitysolver.reporting.plots.inference import DENSE, check_times
from sparsitysolver.reporting.plots.panels import Panel, log_if_wide, page
from sparsitysolver.reporting.plots.style import in_order, method_styles

LABEL, PARAMETERS, LATENCY = "label", "parameters", "latency"
RECON = "_recon"  # reconstruction changes weights, not shapes: a method and its twin are equally fast


def twin(method: str) -> str:
    """The method of the same shapes: the one with reconstruction to the one without, and the other way round."""
    return method.removesuffix(RECON) if method.endswith(RECON) else method + RECON


def points(cells: pd.DataFrame, name: str) -> pd.DataFrame:
    """Points of one model: by method and sparsity the perplexity (mean, lowest and highest seed) and parameters kept.

    Args:
        cells: measured perplexity cells of one model, all seeds; a dense one gives the parameters of the dense model.
        name: file that messages name.

    Raises:
        SparsitySolverError: no dense cell, or a cell without its number of parameters.
    """
    lacking = cells.index[cells["parameters"].isna() | cells["value"].isna()]
    if len(lacking):
        raise SparsitySolverError(
            f"{name}, line {lacking[0]} ({row_name(cells, lacking[0])}): a measured cell needs value and parameters."
        )
    dense = cells[cells["method"] == DENSE]
    if dense.empty:
        raise SparsitySolverError(f"{name}: no dense cell of {cells['model'].iloc[0]}, which others are compared with.")
    kept = cells["parameters"] / dense["parameters"].iloc[0]
    groups = cells.assign(kept=kept).groupby(["method", "sparsity"], sort=True)
    return groups.agg(
        ppl=("value", "mean"), low=("value", "min"), high=("value", "max"), kept=("kept", "mean")
    ).reset_index()


def with_speed(of_model: pd.DataFrame, inference: pd.DataFrame, phase: str) -> pd.DataFrame:
    """Points with a column ``speedup``: that of the method, else of its twin; NaN where neither was measured."""
    measured = inference.groupby(["method", "sparsity"])[f"{phase}_speedup"].mean()

    def speedup(row: pd.Series) -> float:
        if row["method"] == DENSE:
            return 1.0
        for method in (row["method"], twin(row["method"])):
            for (key, sparsity), value in measured.items():
                if key == method and abs(sparsity - row["sparsity"]) < 1e-9:
                    return value
        return np.nan

    return of_model.assign(speedup=of_model.apply(speedup, axis=1))


def draw_pareto(data: Data, definition: FigureDefinition) -> Picture:
    """Up to three panels a model, one line a method, perplexity on a logarithmic axis where it spans much.

    Settings: ``panels`` (of label, parameters, latency), ``split`` (of the cells), ``phase`` (prefill or decode).
    """
    name = f"{CELLS}_{definition.name}.csv"
    chosen = definition.shown((LABEL, PARAMETERS, LATENCY))
    cells = select(data[CELLS], name, status="ok", metric="ppl", split=definition.setting("split"))
    check_once(cells, name, "model", "method", "sparsity", "seed")
    names, phase = labels(cells), definition.setting("phase")
    styles, models = method_styles(names), models_of(cells)
    if LATENCY in chosen:
        check_times(data[INFERENCE], f"{INFERENCE}_{definition.name}.csv")
    panels, unmeasured = [], []
    for model in models:
        table = points(cells[cells["model"] == model], name)
        if LATENCY in chosen:
            inference = data[INFERENCE]
            table = with_speed(table, inference[inference["model"] == model], phase)
            unmeasured += [m for m in in_order(table["method"]) if table["speedup"][table["method"] == m].isna().all()]
        for panel in chosen:
            panels.append(Panel(model, partial(_DRAW[panel], table=table, styles=styles, phase=phase)))
    legend = {names[method]: styles[method].handle(names[method]) for method in in_order(names)}
    absent = ", ".join(names[method] for method in dict.fromkeys(unmeasured)) or "none"
    facts = {"unmeasured": absent, "phase": phase, "models": ", ".join(models)}
    return Picture(page(panels, legend, columns=1 if len(chosen) == 1 else 2, row_height=1.85), facts)


def _lines(ax: Axes, table: pd.DataFrame, styles: Mapping, x: str, scale: float = 1.0) -> None:
    """One line a method over ``x``, from the weakest pruning on; bars from the lowest to the highest seed."""
    for rank, method in enumerate(in_order(styles)):
        rows = table[(table["method"] == method) & table[x].notna()].sort_values("sparsity")
        if rows.empty:
            continue
        look, size = styles[method].of_line(), {"markersize": 6.0} if method == DENSE else {}
        ax.plot(scale * rows[x], rows["ppl"], label=method, zorder=3 + rank, **look, **size)
        spread = rows[rows["high"] > rows["low"]]
        ax.vlines(scale * spread[x], spread["low"], spread["high"], color=look["color"], linewidth=0.7, zorder=2)
    ax.set_ylabel("perplexity")
    ax.update_datalim([(1, table["low"].min()), (1, table["high"].max())], updatex=False)  # the same in all panels
    log_if_wide(ax, np.concatenate([table["low"], table["high"]]))


def _by_label(ax: Axes, table: pd.DataFrame, styles: Mapping, phase: str) -> None:
    _lines(ax, table, styles, "sparsity", scale=100)
    ax.set_xlabel("sparsity asked for (%)")


def _by_parameters(ax: Axes, table: pd.DataFrame, styles: Mapping, phase: str) -> None:
    _lines(ax, table, styles, "kept")
    ax.invert_xaxis()  # as in the other panels, less of the model to the right
    ax.set_xlabel("parameters, times dense")


def _by_latency(ax: Axes, table: pd.DataFrame, styles: Mapping, phase: str) -> None:
    _lines(ax, table, styles, "speedup")
    ax.set_xlabel(f"{phase} speed, times dense")


_DRAW = {LABEL: _by_label, PARAMETERS: _by_parameters, LATENCY: _by_latency}
