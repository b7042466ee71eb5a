"""Anytime curves of the arena: what searches held for best against the tokens that they had evaluated."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.bands import band, draw_band
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import ANYTIME, check_once, models_of
from sparsitysolver.reporting.plots.panels import Panel, page
from sparsitysolver.reporting.plots.style import REFERENCE, in_order, method_styles

_WIDTH = 7.0  # inches: both columns of a page


def draw_arena(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a problem, one panel a family of searches, one line a search; the band is over seeds.

    Settings: ``families`` (title to names of searches).

    Raises:
        SparsitySolverError: a search has two values at one point.
    """
    name = f"{ANYTIME}_{definition.name}.csv"
    frame = data[ANYTIME]
    check_once(frame, name, "model", "granularity", "sparsity", "algorithm", "seed", "share")
    families: dict[str, tuple[str, ...]] = definition.setting("families")
    panels, legend = [], {}
    for model in models_of(frame):
        for granularity, sparsity in _settings(frame[frame["model"] == model]):
            chosen = frame[
                (frame["model"] == model) & (frame["granularity"] == granularity) & (frame["sparsity"] == sparsity)
            ]
            for title, names in families.items():
                panel = chosen[chosen["algorithm"].isin(names)]
                if len(panel):
                    panels.append(Panel(f"{title}\n{model}, {granularity} {sparsity:g}", partial(_draw, frame=panel)))
                    legend |= _legend(panel)
    ordered = {label: legend[label] for label in legend if label != _UNIFORM} | {_UNIFORM: legend[_UNIFORM]}
    return Picture(page(panels, ordered, columns=len(families), row_height=1.9, width=_WIDTH))


_UNIFORM = "Uniform"


def _settings(frame: pd.DataFrame) -> Sequence[tuple[str, float]]:
    return list(dict.fromkeys(zip(frame["granularity"], frame["sparsity"], strict=True)))


def _draw(ax: Axes, frame: pd.DataFrame) -> None:
    styles = method_styles(frame["algorithm"])
    for rank, key in enumerate(in_order(styles)):
        rows = frame[frame["algorithm"] == key]
        table = rows.pivot_table(index="seed", columns="share", values="validation_ppl", dropna=False)
        tokens = rows.groupby("share")["tokens"].mean()
        line = band(tokens.to_numpy(), table.to_numpy())
        draw_band(ax, line, styles[key], rows["label"].iloc[0], rank)
    uniform = frame["uniform_ppl"].dropna()
    if len(uniform):
        ax.axhline(uniform.mean(), **REFERENCE)
        _leave_out(ax, frame, float(uniform.mean()))
    ax.set_xscale("log")
    ax.set_xlabel("evaluated tokens")
    ax.set_ylabel("validation perplexity")


def _leave_out(ax: Axes, frame: pd.DataFrame, uniform: float) -> None:
    """Early candidates far above uniform would flatten all that matters."""
    values = frame["validation_ppl"].dropna()
    low, high = values.min(), min(values.max(), uniform + 1.5 * (uniform - values.min()))
    if high > low:
        room = 0.05 * (high - low)
        ax.set_ylim(low - room, high + room)


def _legend(frame: pd.DataFrame) -> dict[str, Artist]:
    styles = method_styles(frame["algorithm"])
    names = dict(zip(frame["algorithm"], frame["label"], strict=True))
    return {names[key]: styles[key].handle(names[key]) for key in in_order(styles)} | {
        _UNIFORM: Line2D([], [], label=_UNIFORM, **REFERENCE)
    }
