"""Search curves: reward and perplexity over episodes (Figures 6 to 10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.bands import band, draw_band
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import CURVES, models_of, select
from sparsitysolver.reporting.plots.panels import Panel, log_if_wide, page, whole_numbers
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
from sparsitysolver.reporting.plots.style import REFERENCE, Style

RAW, BEST, UNIFORM = "episodes", "best", "uniform"  # what a figure may show besides running means
_UNITS = {REWARD: "reward", PPL: "perplexity"}
_WINDOWS = 50  # a long search is averaged over this part of its episodes
_BEST_LINE = {"color": "black", "linestyle": "--", "linewidth": 0.9}
_MARK_LINE = {"linestyle": (0, (4, 1, 1, 1, 1, 1)), "linewidth": 0.9}
_DOTS = 600  # single episodes that can be dark without hiding the line


@dataclass(frozen=True)
class CurvePanel:
    """What one panel shows: searches of one model, a quantity, and what is drawn besides the running mean.

    ``marks`` has for every label of a search the episode to mark and the legend's words for it.
    """

    searches: list[Search]
    quantity: str
    window: int
    show: tuple[str, ...]
    uniform: float | None
    marks: Mapping[str, tuple[int, str]]


def draw_curves(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a model, one panel a quantity, one line a method; the band is over seeds.

    Settings: ``sparsity`` (others are left out), ``panels`` (reward, ppl), ``window`` (least number of episodes of a
    running mean), ``show`` (what besides running means: episodes, best, uniform), ``within`` (``tolerance`` and
    ``horizon`` of the episode to mark).

    Raises:
        SparsitySolverError: no search at that sparsity; see also :func:`searches_of` and :func:`uniform_of`.
    """
    name = f"{CURVES}_{definition.name}.csv"
    frame = select(data[CURVES], name, sparsity=float(definition.setting("sparsity")))
    window = _window(int(frame["episode"].max()) + 1, int(definition.setting("window")))
    show, models = definition.show, models_of(frame)
    panels, legend = [], {}
    for model in models:
        of_model = frame[frame["model"] == model]
        searches = searches_of(of_model, name)
        uniform = uniform_of(of_model, name) if UNIFORM in show else {}
        marks = _marks(searches, definition, numbered=len(models) == 1)
        for quantity in definition.shown((REWARD, PPL)):
            panel = CurvePanel(searches, quantity, window, show, uniform.get(quantity), marks)
            panels.append(Panel(model, partial(_draw, panel=panel)))
            legend |= _legend(panel)
    return Picture(page(panels, legend, row_height=1.6), _facts(definition, window))


def _window(episodes: int, least: int) -> int:
    """Episodes of a running mean: more in long searches, never more than there are."""
    return min(episodes, max(least, episodes // _WINDOWS))


def _facts(definition: FigureDefinition, window: int) -> dict[str, str]:
    facts = {"window": str(window), "sparsity": f"{definition.setting('sparsity'):.0%}"}
    if within := definition.within:
        facts |= {"tolerance": f"{within.tolerance:.0%}", "horizon": str(within.horizon)}
    return facts


def _marks(searches: list[Search], definition: FigureDefinition, numbered: bool) -> dict[str, tuple[int, str]]:
    """For every search the episode to mark (the median over seeds) and the legend's words for it.

    One legend for several models cannot name the episode: then it is not ``numbered``.
    """
    within = definition.within
    if not within:
        return {}
    marks = {}
    for search in searches:
        episodes = sorted(episode_within(run, within.tolerance, within.horizon) for run in search.ppl)
        median = episodes[(len(episodes) - 1) // 2]
        spread = f" ({episodes[0]} to {episodes[-1]})" if len(episodes) > 1 else ""
        number = f": episode {median}{spread}" if numbered else ""
        marks[search.label] = median, f"{search.label}, within {within.tolerance:.0%}{number}"
    return marks


def _draw(ax: Axes, panel: CurvePanel) -> None:
    """One quantity of one model over episodes."""
    drawn = []
    for rank, search in enumerate(panel.searches):
        values, order = search.values(panel.quantity), 10 - rank
        if RAW in panel.show:
            drawn.append(_draw_episodes(ax, search, values))
        line = band(search.episodes, running_mean(values, panel.window))
        draw_band(ax, line, search.style, search.label, rank, order)
        drawn += [line.low, line.high]
        if BEST in panel.show:
            best = band(search.episodes, running_best(values, panel.quantity)).mean
            ax.plot(search.episodes, best, zorder=order, **_BEST_LINE)
            drawn.append(best)
        if search.label in panel.marks:
            ax.axvline(panel.marks[search.label][0], **_mark_line(search.style))
    if panel.uniform is not None:
        ax.axhline(panel.uniform, **REFERENCE)
        drawn.append(np.array([panel.uniform]))
    if panel.quantity == PPL:
        log_if_wide(ax, np.concatenate([values.ravel() for values in drawn]))
    whole_numbers(ax, 4)
    ax.set_xlabel("episode")
    ax.set_ylabel(_UNITS[panel.quantity])


def _draw_episodes(ax: Axes, search: Search, values: np.ndarray) -> np.ndarray:
    """Single episodes of all seeds as dots; returns those drawn."""
    points = np.where(np.isfinite(values), values, np.nan).ravel()
    places = np.broadcast_to(search.episodes, values.shape).ravel()
    alpha = max(0.08, 0.5 * min(1.0, _DOTS / points.size))
    ax.plot(places, points, ".", markersize=2, markeredgewidth=0, color=search.style.colour, alpha=alpha, zorder=1)
    return points


def _mark_line(style: Style) -> dict[str, Any]:
    return {"color": style.colour, **_MARK_LINE}


def _legend(panel: CurvePanel) -> dict[str, Artist]:
    """Entries of the legend for one panel."""
    single = len(panel.searches) == 1
    entries: dict[str, Artist] = {}
    for search in panel.searches:
        name = f"{search.label}, mean of {panel.window} episodes" if single else search.label
        entries[name] = search.style.handle(name)
    if RAW in panel.show:
        colour = panel.searches[0].style.colour if single else "black"
        entries["single episode"] = Line2D([], [], linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
    if BEST in panel.show:
        entries["best so far"] = Line2D([], [], **_BEST_LINE)
    if panel.uniform is not None:
        entries["Uniform"] = Line2D([], [], **REFERENCE)
    for search in panel.searches:
        if search.label in panel.marks:
            entries[panel.marks[search.label][1]] = Line2D([], [], **_mark_line(search.style))
    return entries
