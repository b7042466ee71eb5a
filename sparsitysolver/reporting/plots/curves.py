"""Search curves: reward and perplexity over episodes (Figures 6 to 10)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import CURVES
from sparsitysolver.reporting.plots.lines import Line, over_seeds
from sparsitysolver.reporting.plots.panels import UNIFORM, Panel, log_if_wide, page, whole_numbers
from sparsitysolver.reporting.plots.rows import by_model, select
from sparsitysolver.reporting.plots.searches import (
    PPL,
    REWARD,
    Search,
    episode_within,
    running_best,
    running_mean,
    searches_of,
    uniform_of,
)
from sparsitysolver.reporting.plots.style import BLACK, Style

_EPISODES, _BEST, _UNIFORM = "episodes", "best", "uniform"  # what a figure may show besides running means
_UNITS = {REWARD: "reward", PPL: "perplexity"}
_WINDOWS = 50  # a long search is averaged over this part of its episodes
_BEST_LINE = {"color": BLACK, "linestyle": "--", "linewidth": 0.9}
_MARK_LINE = {"linestyle": (0, (4, 1, 1, 1, 1, 1)), "linewidth": 0.9}


@dataclass(frozen=True)
class Mark:
    """An episode marked by an upright line, and the legend's words for it."""

    episode: int
    text: str
    style: Style

    def look(self) -> dict:
        """Arguments of ``Axes.axvline``."""
        return {"color": self.style.colour, **_MARK_LINE}


def draw_curves(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a model, one panel a quantity, one line a method; the band is over seeds.

    Settings: ``sparsity`` (others are left out), ``panels`` (reward, ppl), ``window`` (least number of episodes of a
    running mean), ``show`` (what besides running means: episodes, best, uniform), ``within`` (``tolerance`` and
    ``horizon`` of the episode to mark).

    Raises:
        SparsitySolverError: no search at that sparsity; see also :func:`searches_of` and :func:`uniform_of`.
    """
    frame = select(data[CURVES], sparsity=float(definition.setting("sparsity")))
    window = _window(int(frame["episode"].max()) + 1, int(definition.setting("window")))
    show, within = definition.settings.get("show", ()), definition.settings.get("within")
    models, panels = by_model(frame), []
    for model, rows in models:
        searches = searches_of(rows)
        uniform = uniform_of(rows) if _UNIFORM in show else {}
        marks = _marks(searches, **within, numbered=len(models) == 1) if within else []
        for quantity in definition.panels((REWARD, PPL)):
            panels.append(_panel(model, searches, quantity, window, show, uniform.get(quantity), marks))
    facts = {"window": str(window), "sparsity": f"{definition.setting('sparsity'):.0%}"}
    if within:
        facts |= {"tolerance": f"{within['tolerance']:.0%}", "horizon": str(within["horizon"])}
    return Picture(page(panels, row_height=1.6), facts)


def _window(episodes: int, least: int) -> int:
    """Episodes of a running mean: more in long searches, never more than there are."""
    return min(episodes, max(least, episodes // _WINDOWS))


def _marks(searches: list[Search], tolerance: float, horizon: int, numbered: bool) -> list[Mark]:
    """For every search the episode to mark: the median over seeds.

    One legend for several models cannot name the episode: then it is not ``numbered``.
    """
    marks = []
    for search in searches:
        episodes = sorted(episode_within(run, tolerance, horizon) for run in search.values[PPL])
        median = episodes[(len(episodes) - 1) // 2]
        spread = f" ({episodes[0]} to {episodes[-1]})" if len(episodes) > 1 else ""
        number = f": episode {median}{spread}" if numbered else ""
        marks.append(Mark(median, f"{search.label}, within {tolerance:.0%}{number}", search.style))
    return marks


def _panel(
    model: str,
    searches: list[Search],
    quantity: str,
    window: int,
    show: Sequence[str],
    uniform: float | None,
    marks: list[Mark],
) -> Panel:
    """One quantity of one model over episodes."""
    single = len(searches) == 1
    lines, legend = [], {}
    for rank, search in enumerate(searches):
        values = search.values[quantity]
        label = f"{search.label}, mean of {window} episodes" if single else search.label
        dots = values if _EPISODES in show else None
        means = running_mean(values, window)
        lines.append(Line(label, search.style, np.arange(values.shape[1]), means, rank, 10 - rank, dots))
    if _EPISODES in show:
        colour = searches[0].style.colour if single else BLACK
        legend["single episode"] = Line2D([], [], linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
    if _BEST in show:
        legend["best so far"] = Line2D([], [], **_BEST_LINE)
    legend |= {mark.text: Line2D([], [], **mark.look()) for mark in marks}

    def finish(ax: Axes) -> None:
        if _BEST in show:
            for line, search in zip(lines, searches, strict=True):
                best = running_best(search.values[quantity], quantity)
                ax.plot(line.x, over_seeds(best)[0], zorder=line.order, **_BEST_LINE)
        for mark in marks:
            ax.axvline(mark.episode, **mark.look())
        if quantity == PPL:
            log_if_wide(ax, ax.dataLim.intervaly)
        whole_numbers(ax, 4)

    reference = (UNIFORM, uniform) if uniform is not None else None
    return Panel(model, "episode", _UNITS[quantity], lines, reference, finish, legend)
