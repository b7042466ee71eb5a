"""Strategies: the preserved ratio of every unit (Figures 4, 11, 12 and 13)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sparsitysolver.reporting.plots.lines import Line
from sparsitysolver.reporting.plots.panels import UNIFORM, Panel, whole_numbers
from sparsitysolver.reporting.plots.rows import (
    by_method,
    by_model,
    by_search,
    check_once,
    check_one_run_a_seed,
    select,
    wrong_row,
)
from sparsitysolver.reporting.plots.style import KIND_LABELS, KINDS, SERIES, Style

LAYER, MATRIX = "layer", "unit"  # what counts on the x axis
_X = {LAYER: "layer", MATRIX: "index of weight matrix"}
_SEARCHES = (*SERIES, *(Style(s.colour, "X", s.line, hollow=True) for s in SERIES))  # more than there are to compare


def structured_panels(frame: pd.DataFrame, sparsity: float, method: str, models: int | None = None) -> list[Panel]:
    """MHA and FFN of one method by layer: a panel for each of the first models, or for all."""
    panels = []
    for model, rows in by_model(select(frame, granularity="structured", sparsity=sparsity, method=method))[:models]:
        kinds = {kind: rows[rows["kind"] == kind] for kind in KINDS}
        lines = [_line(units, LAYER, KIND_LABELS[kind], KINDS[kind]) for kind, units in kinds.items() if len(units)]
        panels.append(_panel(f"{model}, {sparsity:.0%}", LAYER, lines, rows))
    return panels


def matrices_panels(frame: pd.DataFrame, sparsity: float, models: int | None = None) -> list[Panel]:
    """Every method by weight matrix: a panel for each of the first models, or for all."""
    panels = []
    for model, rows in by_model(select(frame, granularity="unstructured", sparsity=sparsity))[:models]:
        lines = [
            _line(method.rows, MATRIX, method.label, method.style, rank, order=10 - rank)
            for rank, method in enumerate(by_method(rows))
        ]
        panels.append(_panel(f"{model}, {sparsity:.0%}", MATRIX, lines, rows))
    return panels


def searches_panels(frame: pd.DataFrame, title: str) -> list[Panel]:
    """MHA and FFN apart of one model and method, by layer: one line a search."""
    panels = []
    for kind in ("mha", "ffn"):
        rows = frame[frame["kind"] == kind]
        lines = [
            _line(search, LAYER, f"search {rank + 1}", style, rank)
            for rank, (search, style) in enumerate(zip(by_search(rows), _SEARCHES, strict=False))
        ]
        panels.append(_panel(f"{KIND_LABELS[kind]}, {title}", LAYER, lines, rows))
    return panels


def _line(rows: pd.DataFrame, place: str, label: str, style: Style, rank: int = 0, order: int = 2) -> Line:
    """Preserved ratios of searches of one model and method by place, a unit of one kind in each.

    Raises:
        SparsitySolverError: a unit stands twice in a search, a seed has two, or searches have different units.
    """
    check_once(rows, "key", place)
    check_one_run_a_seed(rows)
    table = rows.pivot_table(index="key", columns=place, values="ratio", sort=True)
    lacking = np.argwhere(table.isna().to_numpy())
    if len(lacking):
        key, column = lacking[0]
        line = rows.index[rows["key"] == table.index[key]][0]
        unit = f"{place} {table.columns[column]:g}"
        raise wrong_row(rows, line, f"this strategy has no {unit}, which another of the same model and method has.")
    return Line(label, style, table.columns.to_numpy(), table.to_numpy(), rank, order)


def _panel(title: str, place: str, lines: Sequence[Line], rows: pd.DataFrame) -> Panel:
    """Strategies at one sparsity, with the line of uniform pruning."""
    return ratios_panel(title, place, lines, rows["ratio"].max(), (UNIFORM, 1 - rows["sparsity"].iloc[0]))


def ratios_panel(
    title: str, place: str, lines: Sequence[Line], highest: float, reference: tuple[str, float] | None = None
) -> Panel:
    """Preserved ratios on one of two scales, so that panels can be compared: up to 1, or 0.6 where none is above."""

    def finish(ax: Axes) -> None:
        ax.set_ylim(*((-0.03, 0.63) if highest <= 0.6 else (-0.05, 1.05)))
        whole_numbers(ax)

    return Panel(title, _X[place], "preserved ratio", lines, reference, finish)
