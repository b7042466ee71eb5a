"""Panels on a page: lines over seeds, letters, axes and one legend below them all, so that it never hides data."""

import string
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from sparsitysolver.reporting.plots.style import Style

UNIFORM = "Uniform"  # the line of reference of most figures
COLUMN_WIDTH = 3.5  # inches: one column of a two-column page
_REFERENCE = {"color": "#7f7f7f", "linestyle": ":", "linewidth": 1.1}  # the look of that line
_MARGIN = 0.45  # inches of a panel that its title cannot use: ticks and label of the y axis
_SLOT_LETTERS = 20  # of a line of a legend that takes the place of a panel
_SLOT_ROOM = 0.3  # inches around that place, which panels use for ticks and labels
_LARGE_SPAN = 10.0  # largest over smallest value from which an axis is logarithmic
_MOST_POINTS, _MARKERS = 20, 8  # of a line that has a marker at each; markers of one of more points
_MANY_POINTS, _THIN = 60, 0.8  # from how many points on a line is thin, and how thin (points)
_DOTS = 600  # single values that can be dark without hiding the line


@dataclass(frozen=True)
class Line:
    """One line of a panel and of the legend: the mean over seeds, and the band from the lowest to the highest.

    What is not finite is left out.
    """

    label: str
    style: Style
    x: np.ndarray  # (points,)
    values: np.ndarray  # (seeds, points)
    rank: int = 0  # lines of other rank have markers elsewhere
    order: int = 2  # those of higher order hide others
    dots: np.ndarray | None = None  # single values (seeds, points) behind the line

    def draw(self, ax: Axes) -> None:
        """Draw into axes; a line of many points has few markers, shifted by rank, and is thin."""
        colour, points = self.style.colour, len(self.x)
        if self.dots is not None:
            x, values = np.broadcast_to(self.x, self.dots.shape), np.where(np.isfinite(self.dots), self.dots, np.nan)
            look = {"markersize": 2, "markeredgewidth": 0, "color": colour, "zorder": 1}
            ax.plot(x.ravel(), values.ravel(), ".", alpha=max(0.08, 0.5 * min(1.0, _DOTS / values.size)), **look)
        mean, low, high = over_seeds(self.values)
        if len(self.values) > 1:
            ax.fill_between(self.x, low, high, color=colour, alpha=0.28, linewidth=0, zorder=1)
        look = self.style.of_line()
        if points > _MOST_POINTS:
            spacing = -(-points // _MARKERS)
            look["markevery"] = (self.rank * spacing // 4 % spacing, spacing)
        if points >= _MANY_POINTS:
            look["linewidth"] = _THIN
        ax.plot(self.x, mean, label=self.label, zorder=self.order, **look)


def over_seeds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lowest and highest (points,) of ``values`` (seeds, points) that are finite; NaN where none is."""
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # points where nothing remains
        return np.nanmean(values, axis=0), np.nanmin(values, axis=0), np.nanmax(values, axis=0)


@dataclass(frozen=True)
class Panel:
    """One panel, drawn in the order of its attributes."""

    title: str  # after its letter
    x: str = ""  # labels of the axes
    y: str = ""
    lines: Sequence[Line] = ()
    reference: tuple[str, float] | None = None  # name and height of the line that others are measured by
    finish: Callable[[Axes], None] = lambda ax: None  # draws what is peculiar to a figure, and sets its axes
    legend: Mapping[str, Artist] = field(default_factory=dict)  # entries of what ``finish`` draws


def page(panels: Sequence[Panel], columns: int = 2, row_height: float = 1.45, width: float = COLUMN_WIDTH) -> Figure:
    """A figure of lettered panels, row by row, with a legend of all that they show below; sizes in inches."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(width, rows * row_height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, hspace=0.03, wspace=0.03)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    letters = string.ascii_lowercase if len(panels) <= len(string.ascii_lowercase) else range(1, len(panels) + 1)
    for ax, panel, letter in zip(axes, panels, letters, strict=False):
        for line in panel.lines:
            line.draw(ax)
        if panel.reference:
            ax.axhline(panel.reference[1], **_REFERENCE)
        panel.finish(ax)
        ax.set(xlabel=panel.x, ylabel=panel.y)
        _set_title(ax, f"({letter}) {panel.title}" if len(panels) > 1 else panel.title, width / columns - _MARGIN)
    legend: dict[str, Artist] = {line.label: line.style.handle() for panel in panels for line in panel.lines}
    for panel in panels:
        legend |= panel.legend
    legend |= {panel.reference[0]: Line2D([], [], **_REFERENCE) for panel in panels if panel.reference}
    free = axes[len(panels) :]
    for ax in free:
        ax.set_axis_off()
    if legend and not (len(free) and _legend_within(figure, free[0], legend)):
        _legend_below(figure, legend)
    return figure


def _set_title(ax: Axes, text: str, room: float) -> None:
    """A title in as many lines as it takes to fit into ``room`` inches."""
    title = ax.set_title(text)
    width = title.get_window_extent(ax.figure.canvas.get_renderer()).width / ax.figure.dpi
    if width > room:
        title.set_text(textwrap.fill(text, int(0.95 * len(text) * room / width)))


def _legend_within(figure: Figure, ax: Axes, entries: Mapping[str, Artist]) -> bool:
    """A legend in the place of a panel that there is not; False (and none) where it does not fit."""
    figure.draw_without_rendering()  # places the panels
    names = [textwrap.fill(name, _SLOT_LETTERS) for name in entries]
    legend = ax.legend(entries.values(), names, loc="center", borderaxespad=0, labelspacing=0.25)
    legend.set_in_layout(False)
    place, extent = ax.get_window_extent(), legend.get_window_extent(figure.canvas.get_renderer())
    room = figure.dpi * _SLOT_ROOM
    if extent.width <= place.width + room and extent.height <= place.height + room:
        legend.set_loc("center" if extent.width <= place.width else "center right")  # a wide one reaches to the left
        return True
    legend.remove()
    return False


def _legend_below(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """A legend under the panels, in as many columns as fit; the page grows by its height."""
    renderer = figure.canvas.get_renderer()
    for columns in range(min(len(entries), 4), 0, -1):
        legend = figure.legend(
            entries.values(), [textwrap.fill(name, 60) for name in entries], loc="outside lower center", ncols=columns
        )
        extent = legend.get_window_extent(renderer)
        if extent.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + extent.height / figure.dpi)


def whole_numbers(ax: Axes, most: int = 5) -> None:
    """Few whole numbers on the x axis."""
    ax.xaxis.set_major_locator(MaxNLocator(nbins=most, integer=True, min_n_ticks=1))


def log_if_wide(ax: Axes, values: np.ndarray, span: float = _LARGE_SPAN, axis: str = "y") -> None:
    """A logarithmic axis where positive values span more than ``span``.

    Its ticks are plain numbers: 1, 2, 5, 10 ... over few decades, powers of ten over many.
    """
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() <= 0 or finite.max() < span * finite.min():
        return
    decades, ticks = np.log10(finite.max() / finite.min()), ax.yaxis if axis == "y" else ax.xaxis
    ax.set(**{f"{axis}scale": "log"})
    ticks.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,), numticks=7 if axis == "y" else 4))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    ticks.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """1000 as 1k, 20000000 as 20M; from 1e9 on a power of ten."""
    if value >= 1e9:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    scale, letter = (1e6, "M") if value >= 1e6 else (1e3, "k") if value >= 1e3 else (1, "")
    return f"{value / scale:g}{letter}"
