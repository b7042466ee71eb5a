"""Strategies: the preserved ratio of every unit (Figures 4, 11, 12 and 13)."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.reporting.plots.panels import UNIFORM, Line, Panel, whole_numbers
from sparsitysolver.reporting.plots.rows import by_method, by_model, by_search, over, select
from sparsitysolver.reporting.plots.style import Style, looks

_X = {"layer": "layer", "unit": "index of weight matrix"}  # what counts on the x axis, by column
Rows = Iterable[tuple[pd.DataFrame, str, Style]]  # of the lines of a panel, with their labels and looks


def structured_panels(frame: pd.DataFrame, sparsity: float, method: str, models: int | None = None) -> list[Panel]:
    """MHA and FFN of one method by layer: a panel for each of the first models, or for all."""
    panels, kinds = [], looks().kinds.items()
    for model, rows in by_model(select(frame, granularity="structured", sparsity=sparsity, method=method))[:models]:
        of_kinds = ((rows[rows["kind"] == kind], style.label, style) for kind, style in kinds)
        panels.append(_panel(f"{model}, {sparsity:.0%}", rows, "layer", of_kinds))
    return panels


def matrices_panels(frame: pd.DataFrame, sparsity: float, models: int | None = None) -> list[Panel]:
    """Every method by weight matrix: a panel for each of the first models, or for all."""
    panels = []
    for model, rows in by_model(select(frame, granularity="unstructured", sparsity=sparsity))[:models]:
        methods = ((method.rows, method.label, method.style) for method in by_method(rows))
        panels.append(_panel(f"{model}, {sparsity:.0%}", rows, "unit", methods, apart=True, first_on_top=True))
    return panels


def searches_panels(frame: pd.DataFrame, title: str) -> list[Panel]:
    """MHA and FFN apart of one model and method, by layer: one line a search."""
    panels = []
    for kind in ("mha", "ffn"):
        rows, styles = frame[frame["kind"] == kind], enumerate(looks().series, start=1)
        searches = ((one, f"search {n}", style) for one, (n, style) in zip(by_search(rows), styles, strict=False))
        panels.append(_panel(f"{looks().kinds[kind].label}, {title}", rows, "layer", searches, apart=True))
    return panels


def _panel(
    title: str, rows: pd.DataFrame, x: str, lines: Rows, apart: bool = False, first_on_top: bool = False
) -> Panel:
    """Strategies at one sparsity, with the line of uniform pruning; lines that lie ``apart`` have shifted markers."""
    drawn = [
        Line(label, style, *over(own, x, "ratio"), rank if apart else 0, 10 - rank if first_on_top else 2)
        for rank, (own, label, style) in enumerate(lines)
        if len(own)
    ]
    return ratios_panel(title, x, drawn, rows["ratio"].max(), (UNIFORM, 1 - rows["sparsity"].iloc[0]))


def ratios_panel(
    title: str, x: str, lines: list[Line], highest: float, reference: tuple[str, float] | None = None
) -> Panel:
    """Preserved ratios on one of two scales, so that panels can be compared: up to 1, or 0.6 where none is above."""

    def finish(ax: Axes) -> None:
        ax.set_ylim(*((-0.03, 0.63) if highest <= 0.6 else (-0.05, 1.05)))
        whole_numbers(ax)

    return Panel(title, _X[x], "preserved ratio", lines, reference, finish)
