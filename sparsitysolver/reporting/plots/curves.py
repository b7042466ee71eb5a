"""Search curves: reward and perplexity over episodes (Figures 6 to 10)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sparsitysolver.config.figures import FigureDefinition, Within
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
    running_mean,
    searches_of,
    uniform_of,
)
from sparsitysolver.reporting.plots.style import BLACK

_EPISODES, _BEST, _UNIFORM = "episodes", "best", "uniform"  # what a figure may show besides running means
_UNITS = {REWARD: "reward", PPL: "perplexity"}
_WINDOWS = 50  # the running mean of a long search is over this part of its episodes
_BEST_LINE = {"color": BLACK, "linestyle": "--", "linewidth": 0.9}
_MARK_LINE = {"linestyle": (0, (4, 1, 1, 1, 1, 1)), "linewidth": 0.9}
Marks = dict[str, tuple[int, dict]]  # by the legend's words the episode to mark by an upright line, and its look


def draw_curves(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a model, one panel a quantity, one line a method; the band is over seeds.

    Settings: ``sparsity`` (others are left out), ``panels`` (reward, ppl), ``window`` (least number of episodes of a
    running mean), ``show`` (what besides running means: episodes, best, uniform), ``within`` (``tolerance`` and
    ``horizon`` of the episode to mark).
    """
    show, within = definition.show, definition.within
    frame = select(data[CURVES], sparsity=definition.setting("sparsity"))
    episodes = int(frame["episode"].max()) + 1
    window = min(episodes, max(definition.setting("window"), episodes // _WINDOWS))
    models, panels = by_model(frame), []
    for model, rows in models:
        searches = searches_of(rows)
        uniform = uniform_of(rows) if _UNIFORM in show else {}
        marks = _marks(searches, within, numbered=len(models) == 1) if within else {}
        for quantity in definition.shown((REWARD, PPL)):
            panels.append(_panel(model, searches, quantity, window, show, uniform.get(quantity), marks))
    facts = {"window": str(window)}
    if within:
        facts |= {"tolerance": f"{within.tolerance:.0%}", "horizon": str(within.horizon)}
    return Picture(page(panels, row_height=1.6), facts)


def _marks(searches: list[Search], within: Within, numbered: bool) -> Marks:
    """The median over seeds of every search; one legend for several models cannot name it: then it is not numbered."""
    marks = {}
    for search in searches:
        episodes = sorted(episode_within(run, within.tolerance, within.horizon) for run in search.values[PPL])
        median = episodes[(len(episodes) - 1) // 2]
        spread = f" ({episodes[0]} to {episodes[-1]})" if len(episodes) > 1 else ""
        number = f": episode {median}{spread}" if numbered else ""
        look = {"color": search.style.colour, **_MARK_LINE}
        marks[f"{search.label}, within {within.tolerance:.0%}{number}"] = median, look
    return marks


def _panel(
    model: str,
    searches: list[Search],
    quantity: str,
    window: int,
    show: Sequence[str],
    uniform: float | None,
    marks: Marks,
) -> Panel:
    """One quantity of one model over episodes."""
    lines, legend = _lines(searches, quantity, window, dots=_EPISODES in show), {}
    if _EPISODES in show:
        colour = searches[0].style.colour if len(searches) == 1 else BLACK
        legend["single episode"] = Line2D([], [], linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
    if _BEST in show:
        legend["best so far"] = Line2D([], [], **_BEST_LINE)
    legend |= {text: Line2D([], [], **look) for text, (_, look) in marks.items()}

    def finish(ax: Axes) -> None:
        if _BEST in show:
            best = np.minimum if quantity == PPL else np.maximum
            for line, search in zip(lines, searches, strict=True):
                mean, _, _ = over_seeds(best.accumulate(search.values[quantity], axis=1))
                ax.plot(line.x, mean, zorder=line.order, **_BEST_LINE)
        for episode, look in marks.values():
            ax.axvline(episode, **look)
        if quantity == PPL:
            log_if_wide(ax, ax.dataLim.intervaly)
        whole_numbers(ax, 4)

    reference = (UNIFORM, uniform) if uniform is not None else None
    return Panel(model, "episode", _UNITS[quantity], lines, reference, finish, legend)


def _lines(searches: list[Search], quantity: str, window: int, dots: bool) -> list[Line]:
    """Running means; the only one of a panel says so in the legend."""
    lines = []
    for rank, search in enumerate(searches):
        values = search.values[quantity]
        means, episodes = running_mean(values, window), np.arange(values.shape[1])
        label = f"{search.label}, mean of {window} episodes" if len(searches) == 1 else search.label
        lines.append(Line(label, search.style, episodes, means, rank, 10 - rank, values if dots else None))
    return lines
