"""Lines over seeds: their mean, and the band from the lowest to the highest of them."""

import warnings
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from sparsitysolver.reporting.plots.style import BAND_ALPHA, Style

_MOST_POINTS = 20  # of a line that has a marker at each
_MARKERS = 8  # of a line of more points
_MANY_POINTS, _THIN = 60, 0.8  # from how many points on a line is thin, and how thin (points)
_DOTS = 600  # single values that can be dark without hiding the line


@dataclass(frozen=True)
class Line:
    """One line of a panel and of the legend; what is not finite is left out."""

    label: str
    style: Style
    x: np.ndarray  # (points,)
    values: np.ndarray  # (seeds, points)
    rank: int = 0  # lines of other rank have markers elsewhere
    order: int = 2  # those of higher order hide others
    dots: np.ndarray | None = None  # single values (seeds, points) behind the line

    def draw(self, ax: Axes) -> None:
        """The mean as a line, behind it the band over several seeds and the dots."""
        if self.dots is not None:
            self._draw_dots(ax, self.dots)
        mean, low, high = over_seeds(self.values)
        if len(self.values) > 1:
            ax.fill_between(self.x, low, high, color=self.style.colour, alpha=BAND_ALPHA, linewidth=0, zorder=1)
        ax.plot(self.x, mean, label=self.label, zorder=self.order, **self.style.of_line(), **self._by_points())

    def _draw_dots(self, ax: Axes, dots: np.ndarray) -> None:
        look = {"markersize": 2, "markeredgewidth": 0, "color": self.style.colour, "zorder": 1}
        x, values = np.broadcast_to(self.x, dots.shape), np.where(np.isfinite(dots), dots, np.nan)
        ax.plot(x.ravel(), values.ravel(), ".", alpha=max(0.08, 0.5 * min(1.0, _DOTS / dots.size)), **look)

    def _by_points(self) -> dict:
        """A line of many points has few markers, shifted by rank, and is thin."""
        points = len(self.x)
        if points <= _MOST_POINTS:
            return {}
        spacing = -(-points // _MARKERS)
        thin = {"linewidth": _THIN} if points >= _MANY_POINTS else {}
        return {"markevery": (self.rank * spacing // 4 % spacing, spacing)} | thin


def over_seeds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lowest and highest (points,) of ``values`` (seeds, points) that are finite; NaN where none is."""
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # points where nothing remains
        return np.nanmean(values, axis=0), np.nanmin(values, axis=0), np.nanmax(values, axis=0)
