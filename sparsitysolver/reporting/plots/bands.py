"""A line over seeds: their mean, and the band from the lowest to the highest of them."""

import warnings
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from sparsitysolver.reporting.plots.panels import by_points
from sparsitysolver.reporting.plots.style import BAND_ALPHA, Style


@dataclass(frozen=True)
class Band:
    """Places ``x`` (points,) with the mean, lowest and highest of the seeds there, (points,) each."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int


def band(x: np.ndarray, values: np.ndarray) -> Band:
    """The band of ``values`` (seeds, points); what is not finite is left out, NaN where nothing remains."""
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # points where nothing remains
        bounds = np.nanmean(values, axis=0), np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    return Band(np.asarray(x), *bounds, seeds=len(values))


def draw_band(ax: Axes, line: Band, style: Style, label: str, rank: int = 0, order: int = 2) -> None:
    """The mean as a line and, over several seeds, the band behind it; lines of other rank have markers elsewhere."""
    if line.seeds > 1:
        ax.fill_between(line.x, line.low, line.high, color=style.colour, alpha=BAND_ALPHA, linewidth=0, zorder=1)
    ax.plot(line.x, line.mean, label=label, zorder=order, **style.of_line(), **by_points(len(line.x), rank))
