"""Figure 14: times, speed and memory of pruned models beside the dense one."""

import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import COLUMN_WIDTH, Panel, log_if_wide, page
from sparsitysolver.reporting.plots.rows import DENSE, SETTING, by_method, by_model, check_times, select
from sparsitysolver.reporting.plots.style import method_styles

# By panel: the column it draws, its title, what the column is multiplied by, and the phase whose interval it has.
QUANTITIES = {
    "prefill_seconds": ("prefill_seconds", "prefill, ms", 1e3, "prefill"),
    "decode_seconds": ("decode_seconds", "decode, ms", 1e3, "decode"),
    "prefill_tokens": ("prefill_tokens_per_second", "prefill, tokens/s", 1.0, "prefill"),
    "decode_tokens": ("decode_tokens_per_second", "decode, tokens/s", 1.0, "decode"),
    "memory": ("peak_memory_bytes", "peak memory, MiB", 2.0**-20, ""),
}
_PAGE_WIDTH = 6.75  # inches: both columns, where several models are shown
_BAR_HEIGHT, _AXIS_HEIGHT = 0.14, 0.55  # inches of a bar, and of a panel besides its bars
_WIDE = 30.0  # largest over smallest value from which bars need a logarithmic axis
Names = dict[tuple[str, str], str]  # lines of every panel from the top, by model and method; without method a heading
_INTERVAL = {"fmt": "none", "ecolor": "black", "elinewidth": 0.8, "capsize": 1.7, "capthick": 0.8}


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """One panel a quantity, one bar a method, models below each other; bars of a quantity nobody measured are left out.

    Settings: ``panels`` (of :data:`QUANTITIES`), ``sparsity`` (the dense model apart, others are left out: one
    measurement of a model may hold several).
    """
    frame = data["inference"]
    check_times(frame)
    dense = frame["method"] == DENSE
    frame = pd.concat([frame[dense], select(frame[~dense], sparsity=definition.setting("sparsity"))])
    labels, models = {method.key: method.label for method in by_method(frame)}, by_model(frame)
    names: Names = {}
    for model, rows in models:
        names |= {(model, ""): model} if len(models) > 1 else {}
        names |= {(model, method.key): labels[method.key] for method in by_method(rows)}
    shown = [QUANTITIES[panel] for panel in definition.shown(tuple(QUANTITIES))]
    shown = [quantity for quantity in shown if frame[quantity[0]].notna().any()]
    columns, width = (2, COLUMN_WIDTH) if len(models) == 1 else (len(shown), _PAGE_WIDTH)
    panels = [_panel(frame, names, rank % columns == 0, *quantity) for rank, quantity in enumerate(shown)]
    first = frame.iloc[0]
    facts = {key: first[key] if isinstance(first[key], str) else f"{first[key]:g}" for key in SETTING}
    return Picture(page(panels, columns, _AXIS_HEIGHT + _BAR_HEIGHT * len(names), width), facts)


def _bars(frame: pd.DataFrame, column: str, scale: float, phase: str) -> pd.DataFrame:
    """Value, low and high of a quantity by model and method: means over seeds, the widest interval.

    The interval is that of the speedup, carried over to the measured time: what took ``t`` at speedup ``s`` takes
    ``t s / s_high`` to ``t s / s_low``.
    """
    value = low = high = frame[column] * scale
    if phase:
        slower, faster = (frame[f"{phase}_speedup{end}"] / frame[f"{phase}_speedup"] for end in ("_low", "_high"))
        is_time = column.endswith("_seconds")
        low, high = (value / faster, value / slower) if is_time else (value * slower, value * faster)
    groups = frame[["model", "method"]].assign(value=value, low=low, high=high).groupby(["model", "method"], sort=False)
    return groups.agg({"value": "mean", "low": "min", "high": "max"})


def _panel(frame: pd.DataFrame, names: Names, named: bool, column: str, title: str, scale: float, phase: str) -> Panel:
    """Bars of one quantity; only the panels at the left name them."""
    bars = _bars(frame, column, scale, phase)
    shown = bars.reindex(pd.MultiIndex.from_tuples(names)).assign(place=range(len(names))).dropna(subset=["value"])
    styles = method_styles(method for _, method in bars.index)
    looks = [styles[method] for _, method in shown.index]

    def finish(ax: Axes) -> None:
        ax.barh(
            shown["place"],
            shown["value"],
            height=0.72,
            color=["white" if look.hollow else look.colour for look in looks],
            edgecolor=[look.colour for look in looks],
            hatch=["/////" if look.hollow else None for look in looks],
            linewidth=0.7,
        )
        if phase:
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

    return Panel(title, finish=finish)


if __name__ == "__main__":
    raise SystemExit(main("figure14", draw))
