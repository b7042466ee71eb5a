"""Times, speed and memory of pruned models beside the dense one (Figure 14)."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import INFERENCE
from sparsitysolver.reporting.plots.panels import COLUMN_WIDTH, Panel, log_if_wide, page
from sparsitysolver.reporting.plots.rows import FILE, by_method, by_model, check_once, place, refuse, select
from sparsitysolver.reporting.plots.style import method_styles

PAGE_WIDTH = 6.75  # inches: both columns, where several models are shown
BAR_HEIGHT = 0.14  # inches
_AXIS_HEIGHT = 0.55  # inches of a panel besides its bars
_WIDE = 30.0  # largest over smallest value from which bars need a logarithmic axis
DENSE = "dense"
_SETTING = ("batch", "prompt_tokens", "new_tokens", "threads", "device", "dtype")  # the same for all of one model
_INTERVAL = {"fmt": "none", "ecolor": "black", "elinewidth": 0.8, "capsize": 1.7, "capthick": 0.8}
Names = dict[tuple[str, str], str]  # what stands beside the bar of a model and method; without method, a heading


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


def draw_inference(data: Data, definition: FigureDefinition) -> Picture:
    """One panel a quantity, one bar a method, models below each other; bars of a quantity nobody measured are left out.

    Settings: ``panels`` (of :data:`QUANTITIES`), ``sparsity`` (the dense model apart, others are left out: one
    measurement of a model may hold several).
    """
    frame = data[INFERENCE]
    check_times(frame)
    dense = frame["method"] == DENSE
    frame = pd.concat([frame[dense], select(frame[~dense], sparsity=definition.setting("sparsity"))])
    quantities = [QUANTITIES[panel] for panel in definition.shown(tuple(QUANTITIES))]
    quantities = [quantity for quantity in quantities if frame[quantity.column].notna().any()]
    names, single = _names(frame), len(set(frame["model"])) == 1
    columns, width = (2, COLUMN_WIDTH) if single else (len(quantities), PAGE_WIDTH)
    panels = []
    for rank, quantity in enumerate(quantities):
        finish = partial(_draw, bars=bars(frame, quantity), names=names, interval=bool(quantity.phase))
        panels.append(Panel(quantity.title, finish=partial(finish, named=rank % columns == 0)))
    first = frame.iloc[0]
    facts = {key: first[key] if isinstance(first[key], str) else f"{first[key]:g}" for key in _SETTING}
    return Picture(page(panels, columns, _AXIS_HEIGHT + BAR_HEIGHT * len(names), width), facts)


def check_times(frame: pd.DataFrame) -> None:
    """Refuse times that cannot be compared, or that contradict themselves.

    Raises:
        SparsitySolverError: models measured under different conditions or twice, or a speedup outside its interval.
    """
    check_once(frame, "model", "method", "sparsity", "seed")
    for column in _SETTING:
        for _, of_model in frame.groupby("model"):
            other = of_model.index[of_model[column] != of_model[column].iloc[0]]
            if len(other):
                lines = (of_model.index[0], other[0])
                found = " and ".join(f"{frame.loc[line, column]} in {place(frame, line)}" for line in lines)
                raise SparsitySolverError(f"{frame.attrs[FILE]}: {column} is {found}; such times cannot be compared.")
    for phase in ("prefill", "decode"):
        speedup, low, high = (frame[f"{phase}_speedup{bound}"] for bound in ("", "_low", "_high"))
        name = f"{phase}_speedup"
        found = f"{name} {{{name}:g}} lies outside its interval {{{name}_low:g}} to {{{name}_high:g}}."
        refuse(frame, ~((low > 0) & (low <= speedup) & (speedup <= high)), found)


def bars(frame: pd.DataFrame, quantity: Quantity) -> pd.DataFrame:
    """Value, low and high of a quantity by model and method: means over seeds, the widest interval.

    The interval is that of the speedup, carried over to the measured time: what took ``t`` at speedup ``s`` takes
    ``t s / s_high`` to ``t s / s_low``.
    """
    value = low = high = frame[quantity.column] * quantity.scale
    if quantity.phase:
        speedup, slow, fast = (frame[f"{quantity.phase}_speedup{bound}"] for bound in ("", "_low", "_high"))
        slower, faster = slow / speedup, fast / speedup
        is_time = quantity.column.endswith("_seconds")
        low, high = (value / faster, value / slower) if is_time else (value * slower, value * faster)
    table = frame[["model", "method"]].assign(value=value, low=low, high=high)
    groups = table.groupby(["model", "method"], sort=False)
    return groups.agg(value=("value", "mean"), low=("low", "min"), high=("high", "max"))


def _names(frame: pd.DataFrame) -> Names:
    """What stands in the lines of every panel from the top."""
    labels, models = {method.key: method.label for method in by_method(frame)}, by_model(frame)
    names = {}
    for model, rows in models:
        if len(models) > 1:
            names[model, ""] = model
        names |= {(model, method.key): labels[method.key] for method in by_method(rows)}
    return names


def _draw(ax: Axes, bars: pd.DataFrame, names: Names, interval: bool, named: bool) -> None:
    """Bars of one quantity; only the panels at the left name them."""
    places = pd.Series(range(len(names)), index=pd.MultiIndex.from_tuples(names))
    shown = bars.reindex(places.index).assign(place=places).dropna(subset=["value"])
    styles = method_styles(method for _, method in bars.index)
    looks = [styles[method] for _, method in shown.index]
    ax.barh(
        shown["place"],
        shown["value"],
        height=0.72,
        color=["white" if look.hollow else look.colour for look in looks],
        edgecolor=[look.colour for look in looks],
        hatch=["/////" if look.hollow else None for look in looks],
        linewidth=0.7,
    )
    if interval:
        errors = [shown["value"] - shown["low"], shown["high"] - shown["value"]]
        ax.errorbar(shown["value"], shown["place"], xerr=errors, **_INTERVAL)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), list(names.values()) if named else [])
    for label, (_, method) in zip(ax.get_yticklabels(), names, strict=False):
        label.set_fontweight("normal" if method else "bold")
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.get_major_locator().set_params(nbins=4)
    log_if_wide(ax, bars["value"].to_numpy(), _WIDE, axis="x")
