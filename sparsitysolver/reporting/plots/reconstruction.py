"""The reconstruction study: perplexity and time against the number of samples (Figure 5)."""

import itertools
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.reporting.collected.long_tables import row_name
from sparsitysolver.reporting.plots.bands import band, draw_band
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import RECONSTRUCTION, models_of
from sparsitysolver.reporting.plots.panels import Panel, log_if_wide, page
from sparsitysolver.reporting.plots.style import KIND_LABELS, KINDS, REFERENCE

QUANTITIES = {"ppl": "perplexity", "seconds_per_module": "seconds per module"}
_MOST_TICKS = 6


def draw_reconstruction(data: Data, definition: FigureDefinition) -> Picture:
    """Two panels a model and sparsity, over samples to base 2; a row of no samples becomes a line across.

    Raises:
        SparsitySolverError: unknown modules, a negative number of samples, or seeds with different numbers of them.
    """
    frame, name = data[RECONSTRUCTION], f"{RECONSTRUCTION}_{definition.name}.csv"
    _check(frame, name)
    chosen, panels = definition.shown(tuple(QUANTITIES)), []
    for model, sparsity in itertools.product(models_of(frame), sorted(set(frame["sparsity"]))):
        study = frame[(frame["model"] == model) & (frame["sparsity"] == sparsity)]
        if study.empty:
            continue
        for quantity in chosen:
            panels.append(Panel(f"{model}, {sparsity:.0%}", partial(_draw, study=study, quantity=quantity, name=name)))
    legend: dict[str, Artist] = {KIND_LABELS[k]: KINDS[k].handle("") for k in KINDS if (frame["modules"] == k).any()}
    if (frame["samples"] == 0).any():
        legend["without reconstruction"] = Line2D([], [], **REFERENCE)
    sparsities = ", ".join(f"{value:.0%}" for value in sorted(set(frame["sparsity"])))
    return Picture(page(panels, legend, row_height=1.6), {"sparsity": sparsities})


def _check(frame: pd.DataFrame, name: str) -> None:
    for line in frame.index:
        modules, samples = frame.loc[line, "modules"], frame.loc[line, "samples"]
        if modules not in KINDS:
            raise unknown_name(f"modules in {name}, line {line}:", modules, KINDS)
        if samples < 0:
            raise SparsitySolverError(f"{name}, line {line} ({row_name(frame, line)}): {samples:g} samples.")


def _draw(ax: Axes, study: pd.DataFrame, quantity: str, name: str) -> None:
    """One quantity of one study, one line a choice of modules; the band is over seeds."""
    sampled = study[study["samples"] > 0]
    for kind, style in KINDS.items():
        rows = sampled[sampled["modules"] == kind]
        if rows.empty:
            continue
        table = rows.pivot_table(index="seed", columns="samples", values=quantity)
        if table.isna().any(axis=None) or table.size != len(rows):
            raise SparsitySolverError(
                f"{name}, line {rows.index[0]} ({row_name(rows, rows.index[0])}, {kind}): every seed needs every "
                "number of samples once."
            )
        draw_band(ax, band(table.columns.to_numpy(), table.to_numpy()), style, KIND_LABELS[kind])
    without = study[study["samples"] == 0]
    if quantity == "ppl" and len(without):
        ax.axhline(without["ppl"].mean(), **REFERENCE)
    log_if_wide(ax, study.loc[study["samples"] > 0, quantity].to_numpy())
    _samples_axis(ax, np.unique(sampled["samples"]))
    ax.set_ylabel(QUANTITIES[quantity])


def _samples_axis(ax: Axes, samples: np.ndarray) -> None:
    """Samples to base 2, with the numbers that were measured as ticks."""
    if len(samples):
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_locator(FixedLocator(samples[:: -(-len(samples) // _MOST_TICKS)]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlabel("samples")
