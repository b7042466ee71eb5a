"""Times, speed and memory of pruned models beside the dense one (Figure 14)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.long_tables import row_name
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import INFERENCE, check_once, labels, models_of, select
from sparsitysolver.reporting.plots.panels import COLUMN_WIDTH, Panel, log_if_wide, page
from sparsitysolver.reporting.plots.style import in_order, method_styles

PAGE_WIDTH = 6.75  # inches: both columns, where several models are shown
BAR_HEIGHT = 0.14  # inches
_AXIS_HEIGHT = 0.55  # inches of a panel besides its bars
_WIDE = 30.0  # largest over smallest value from which bars need a logarithmic axis
DENSE = "dense"
_SETTING = ("batch", "prompt_tokens", "new_tokens", "threads", "device", "dtype")  # the same for all of one model
_INTERVAL = {"fmt": "none", "ecolor": "black", "elinewidth": 0.8, "capsize": 1.7, "capthick": 0.8}
Row = tuple[str, tuple[str, str] | None]  # name, and (model, method); a model's own line has no bar


@dataclass(frozen=True)
class Quantity:
    """A column to draw, its unit, how often it goes into that unit, and the phase whose interval it has."""

    column: str
    title: str
    scale: float = 1.0
    phase: str = ""


QUANTITIES = {
    "prefill_seconds": Quantity("prefill_seconds", "prefill, ms", 1e3, "prefill"),
    "decode_seconds": Quantity("decode_seconds", "decode, ms", 1e3, "decode"),
    "prefill_tokens": Quantity("prefill_tokens_per_second", "prefill, tokens/s", 1.0, "prefill"),
    "decode_tokens": Quantity("decode_tokens_per_second", "decode, tokens/s", 1.0, "decode"),
    "memory": Quantity("peak_memory_bytes", "peak memory, MiB", 2.0**-20),
}


def bars(frame: pd.DataFrame, quantity: Quantity) -> pd.DataFrame:
    """Value, low and high of a quantity by model and method: means over seeds, the widest interval.

    The interval is that of the speedup, carried over to the measured time: what took ``t`` at speedup ``s`` takes
    ``t s / s_high`` to ``t s / s_low``.
    """
    value, low, high = (frame[quantity.column] * quantity.scale for _ in range(3))
    if quantity.phase:
        speedup, slow, fast = (frame[f"{quantity.phase}_speedup{bound}"] for bound in ("", "_low", "_high"))
        slower, faster = slow / speedup, fast / speedup
        is_time = quantity.column.endswith("_seconds")
        low, high = (value / faster, value / slower) if is_time else (value * slower, value * faster)
    table = frame[["model", "method"]].assign(value=value, low=low, high=high)
    groups = table.groupby(["model", "method"], sort=False)
    return groups.agg(value=("value", "mean"), low=("low", "min"), high=("high", "max"))


def draw_inference(data: Data, definition: FigureDefinition) -> Picture:
    """One panel a quantity, one bar a method, models below each other; bars of a quantity nobody measured are left out.

    Settings: ``panels`` (of :data:`QUANTITIES`), ``sparsity`` (the dense model apart, others are left out: one
    measurement of a model may hold several).

    Raises:
        SparsitySolverError: see :func:`check_times`.
    """
    frame, name = data[INFERENCE], f"{INFERENCE}_{definition.name}.csv"
    check_times(frame, name)
    sparsity = float(definition.setting("sparsity"))
    dense = frame[frame["method"] == DENSE]
    frame = pd.concat([dense, select(frame[frame["method"] != DENSE], name, sparsity=sparsity)])
    chosen = [QUANTITIES[panel] for panel in definition.shown(tuple(QUANTITIES))]
    chosen = [quantity for quantity in chosen if frame[quantity.column].notna().any()]
    rows = _rows(frame)
    single = len(set(frame["model"])) == 1
    columns = 2 if single else len(chosen)
    panels = [
        Panel(quantity.title, partial(_draw, frame=frame, rows=rows, quantity=quantity, named=rank % columns == 0))
        for rank, quantity in enumerate(chosen)
    ]
    height = _AXIS_HEIGHT + BAR_HEIGHT * len(rows)
    figure = page(panels, {}, columns, height, COLUMN_WIDTH if single else PAGE_WIDTH)
    first = frame.iloc[0]
    facts = {key: f"{first[key]:g}" for key in ("batch", "prompt_tokens", "new_tokens", "threads")}
    return Picture(figure, facts | {"device": first["device"], "dtype": first["dtype"], "sparsity": f"{sparsity:.0%}"})


def check_times(frame: pd.DataFrame, name: str) -> None:
    """Refuse times that cannot be compared, or that contradict themselves.

    Raises:
        SparsitySolverError: models measured under different conditions or twice, or a speedup outside its interval.
    """
    check_once(frame, name, "model", "method", "sparsity", "seed")
    for column in _SETTING:
        for _, of_model in frame.groupby("model"):
            other = of_model.index[of_model[column] != of_model[column].iloc[0]]
            if len(other):
                lines = (of_model.index[0], other[0])
                found = [f"{frame.loc[line, column]} in line {line} ({row_name(frame, line)})" for line in lines]
                raise SparsitySolverError(f"{name}: {column} is {' and '.join(found)}; such times cannot be compared.")
    for phase in ("prefill", "decode"):
        speedup, low, high = (frame[f"{phase}_speedup{bound}"] for bound in ("", "_low", "_high"))
        wrong = frame.index[~((low > 0) & (low <= speedup) & (speedup <= high))]
        if len(wrong):
            line = wrong[0]
            raise SparsitySolverError(
                f"{name}, line {line} ({row_name(frame, line)}): {phase}_speedup {speedup[line]:g} lies outside its "
                f"interval {low[line]:g} to {high[line]:g}."
            )


def _rows(frame: pd.DataFrame) -> list[Row]:
    """Lines of every panel from the top."""
    names, rows = labels(frame), []
    single = len(set(frame["model"])) == 1
    for model in models_of(frame):
        rows += [] if single else [(model, None)]
        rows += [(names[m], (model, m)) for m in in_order(frame.loc[frame["model"] == model, "method"])]
    return rows


def _draw(ax: Axes, frame: pd.DataFrame, rows: list[Row], quantity: Quantity, named: bool) -> None:
    """Bars of one quantity; only the panels at the left name them."""
    table, styles = bars(frame, quantity), method_styles(frame["method"])
    shown = [(place, bar) for place, (_, bar) in enumerate(rows) if bar and not np.isnan(table.loc[bar, "value"])]
    places, looks = [place for place, _ in shown], [styles[method] for _, (_, method) in shown]
    value, low, high = (table.loc[[bar for _, bar in shown], column].to_numpy() for column in ("value", "low", "high"))
    ax.barh(
        places,
        value,
        height=0.72,
        color=["white" if look.hollow else look.colour for look in looks],
        edgecolor=[look.colour for look in looks],
        hatch=["/////" if look.hollow else None for look in looks],
        linewidth=0.7,
    )
    if quantity.phase:
        ax.errorbar(value, places, xerr=[value - low, high - value], **_INTERVAL)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [name for name, _ in rows] if named else [])
    for label, (_, bar) in zip(ax.get_yticklabels(), rows, strict=False):
        label.set_fontweight("normal" if bar else "bold")
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.get_major_locator().set_params(nbins=4)
    log_if_wide(ax, table["value"].to_numpy(), _WIDE, axis="x")
