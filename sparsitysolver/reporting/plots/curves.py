"""Search curves: reward and perplexity over episodes (Figures 6 to 10)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.panels import UNIFORM, Line, Panel, log_if_wide, over_seeds, page, whole_numbers
from sparsitysolver.reporting.plots.rows import FILE, Method, by_method, by_model, over, place, refuse, select

QUANTITIES = {"reward": "reward", "ppl": "perplexity"}  # by panel, with the label of its axis
_WINDOWS = 50  # the running mean of a long search is over this part of its episodes
_SAME = 1e-3  # relative difference from which two dense perplexities are not of the same windows
_BEST_LINE = {"color": "black", "linestyle": "--", "linewidth": 0.9}
_MARK_LINE = {"linestyle": (0, (4, 1, 1, 1, 1, 1)), "linewidth": 0.9}
Marks = dict[str, tuple[int, dict]]  # by the legend's words the episode to mark by an upright line, and its look


def draw_curves(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a model, one panel a quantity, one line a method; the band is over seeds.

    Settings: ``sparsity`` (others are left out), ``panels`` (reward, ppl), ``window`` (least number of episodes of a
    running mean), ``show`` (what besides running means: episodes, best, uniform), ``within`` (``tolerance`` and
    ``horizon`` of the episode to mark).
    """
    within, show, shown = definition.within, definition.show, definition.shown(tuple(QUANTITIES))
    frame = select(data["curves"], sparsity=definition.setting("sparsity"))
    episodes = int(frame["episode"].max()) + 1
    window = min(episodes, max(definition.setting("window"), episodes // _WINDOWS))
    models, panels = by_model(frame), []
    for model, rows in models:
        _check_episodes(rows)
        methods, uniform = by_method(rows), uniform_of(rows) if "uniform" in show else {}
        marks = _marks(methods, definition, numbered=len(models) == 1)
        panels += [_panel(model, methods, name, window, show, uniform.get(name), marks) for name in shown]
    facts = {"tolerance": f"{within.tolerance:.0%}", "horizon": str(within.horizon)} if within else {}
    return Picture(page(panels, row_height=1.6), facts | {"window": str(window)})


def _check_episodes(frame: pd.DataFrame) -> None:
    """Every search of a model must have the episodes 0, 1, 2 ... each once."""
    ordered = frame.sort_values(["key", "episode"], kind="stable")
    ordered["due"] = ordered.groupby("key").cumcount()
    found = "episode {episode:g} found where {due} is due; a search has every episode once."
    refuse(ordered, ordered["episode"] != ordered["due"], found)


def uniform_of(frame: pd.DataFrame) -> dict[str, float]:
    """Perplexity and reward of uniform pruning on one model's reward windows, as far as measured: means over searches.

    Searches of other seeds have other calibration windows, and so keep other heads and neurons of the same numbers.

    Raises:
        SparsitySolverError: searches that were rewarded on different windows, by what the dense model has on them.
    """
    dense = frame["dense_ppl"].dropna()
    if not dense.empty and dense.max() - dense.min() > _SAME * dense.mean():
        low, high = (f"{dense[line]:g} in {place(frame, line)}" for line in (dense.idxmin(), dense.idxmax()))
        raise SparsitySolverError(
            f"{frame.attrs[FILE]}: dense_ppl is {low} and {high}: these searches were not rewarded on the same windows."
        )
    means = {quantity: frame[f"uniform_{quantity}"].mean() for quantity in QUANTITIES}
    return {quantity: mean for quantity, mean in means.items() if np.isfinite(mean)}


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over the last ``window`` episodes of ``values`` (..., episodes); NaN as long as there are fewer.

    What is not finite is left out; NaN where nothing remains.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=-1)
    finite = np.isfinite(windows)
    sums, counts = np.where(finite, windows, 0.0).sum(axis=-1), finite.sum(axis=-1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.concatenate([np.full((*values.shape[:-1], window - 1), np.nan), means], axis=-1)


def episode_within(ppl: np.ndarray, tolerance: float, horizon: int) -> int:
    """First episode of ``ppl`` (episodes,) within ``tolerance`` (a fraction) of the best of the first ``horizon``."""
    return int(np.argmax(ppl[:horizon] <= (1 + tolerance) * ppl[:horizon].min()))


def _marks(methods: list[Method], definition: FigureDefinition, numbered: bool) -> Marks:
    """The median over seeds of every search.

    One legend for several models cannot name the episode: then it is not numbered.
    """
    marks, within = {}, definition.within
    for method in methods if within else ():
        _, ppl = over(method.rows, "episode", "ppl")
        episodes = sorted(episode_within(run, within.tolerance, within.horizon) for run in ppl)
        median = episodes[(len(episodes) - 1) // 2]
        spread = f" ({episodes[0]} to {episodes[-1]})" if len(episodes) > 1 else ""
        number = f": episode {median}{spread}" if numbered else ""
        look = {"color": method.style.colour, **_MARK_LINE}
        marks[f"{method.label}, within {within.tolerance:.0%}{number}"] = median, look
    return marks


def _panel(
    model: str,
    methods: list[Method],
    quantity: str,
    window: int,
    show: Sequence[str],
    uniform: float | None,
    marks: Marks,
) -> Panel:
    """One quantity of one model over episodes: running means, of which the only one says so in the legend."""
    dotted, best, single = "episodes" in show, "best" in show, len(methods) == 1
    lines, legend, bests = [], {}, []
    for rank, method in enumerate(methods):
        episodes, values = over(method.rows, "episode", quantity)
        label = f"{method.label}, mean of {window} episodes" if single else method.label
        means, dots = running_mean(values, window), values if dotted else None
        lines.append(Line(label, method.style, episodes, means, rank, 10 - rank, dots))
        bests.append(over_seeds((np.minimum if quantity == "ppl" else np.maximum).accumulate(values, axis=1))[0])
    if dotted:
        colour = methods[0].style.colour if single else "black"
        legend["single episode"] = Line2D([], [], linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
    if best:
        legend["best so far"] = Line2D([], [], **_BEST_LINE)
    legend |= {text: Line2D([], [], **look) for text, (_, look) in marks.items()}

    def finish(ax: Axes) -> None:
        for line, mean in zip(lines, bests, strict=True) if best else ():
            ax.plot(line.x, mean, zorder=line.order, **_BEST_LINE)
        for episode, look in marks.values():
            ax.axvline(episode, **look)
        if quantity == "ppl":
            log_if_wide(ax, ax.dataLim.intervaly)
        whole_numbers(ax, 4)

    reference = (UNIFORM, uniform) if uniform is not None else None
    return Panel(model, "episode", QUANTITIES[quantity], lines, reference, finish, legend)
