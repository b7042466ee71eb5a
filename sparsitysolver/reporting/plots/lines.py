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
    """One line of a panel and of the legend.

    Attributes:
        label: its name in the legend.
        style: its look.
        x: places (points,).
        values: (seeds, points); what is not finite is left out.
        rank: among the lines of its panel; those of other rank have markers elsewhere.
        order: lines of higher order hide others.
        dots: single values (seeds, points) behind the line, or none.
    """

    label: str
    style: Style
    x: np.ndarray
    values: np.ndarray
    rank: int = 0
    order: int = 2
    dots: np.ndarray | None = None

    def draw(self, ax: Axes) -> None:
        """The mean as a line, behind it the band over several seeds and the dots."""
        if self.dots is not None:
            self._draw_dots(ax, np.where(np.isfinite(self.dots), self.dots, np.nan))
        mean, low, high = over_seeds(self.values)
        if len(self.values) > 1:
            ax.fill_between(self.x, low, high, color=self.style.colour, alpha=BAND_ALPHA, linewidth=0, zorder=1)
        look = self.style.of_line() | self._by_points()
        ax.plot(self.x, mean, label=self.label, zorder=self.order, **look)

    def _draw_dots(self, ax: Axes, dots: np.ndarray) -> None:
        look = {"markersize": 2, "markeredgewidth": 0, "color": self.style.colour}
        alpha = max(0.08, 0.5 * min(1.0, _DOTS / dots.size))
        ax.plot(np.broadcast_to(self.x, dots.shape).ravel(), dots.ravel(), ".", alpha=alpha, zorder=1, **look)

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
