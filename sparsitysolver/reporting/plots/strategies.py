"""Strategies: the preserved ratio of every unit (Figures 4, 11, 12 and 13)."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.long_tables import row_name
from sparsitysolver.reporting.plots.bands import Band, band, draw_band
from sparsitysolver.reporting.plots.contracts import check_once, check_one_run_a_seed, labels
from sparsitysolver.reporting.plots.panels import Panel, by_points, whole_numbers
from sparsitysolver.reporting.plots.style import (
    KIND_LABELS,
    KINDS,
    REFERENCE,
    SERIES,
    Style,
    in_order,
    method_styles,
)

RATIO = "preserved ratio"
LAYER, MATRIX = "layer", "unit"  # what counts on the x axis


def ratios_over_seeds(frame: pd.DataFrame, place: str, name: str) -> Band:
    """Preserved ratios of the searches in ``frame`` (one model and method) by place; the band is over seeds.

    Args:
        frame: rows of strategies; one row a place and search.
        place: ``layer`` for the units of one kind, ``unit`` for weight matrices.
        name: file that messages name.

    Raises:
        SparsitySolverError: a unit stands twice in a search, a seed has two, or searches have different units.
    """
    check_once(frame, name, "key", place)
    check_one_run_a_seed(frame, name)
    table = frame.pivot_table(index="key", columns=place, values="ratio", sort=True)
    if table.isna().any(axis=None):
        key, column = next(zip(*np.nonzero(table.isna().to_numpy()), strict=True))
        line = frame.index[frame["key"] == table.index[key]][0]
        raise SparsitySolverError(
            f"{name}, line {line} ({row_name(frame, line)}): this strategy has no {place} {table.columns[column]:g}, "
            "which another of the same model and method has."
        )
    return band(table.columns.to_numpy(), table.to_numpy())


def structured_panel(frame: pd.DataFrame, title: str, name: str) -> Panel:
    """MHA and FFN of one model and method, by layer."""
    return Panel(title, partial(_draw_kinds, frame=frame, name=name))


def _draw_kinds(ax: Axes, frame: pd.DataFrame, name: str) -> None:
    for kind, style in KINDS.items():
        if (frame["kind"] == kind).any():
            draw_band(ax, ratios_over_seeds(frame[frame["kind"] == kind], LAYER, name), style, KIND_LABELS[kind])
    _finish(ax, frame, LAYER)


def matrices_panel(frame: pd.DataFrame, title: str, name: str) -> Panel:
    """Every method of one model, by weight matrix."""
    return Panel(title, partial(_draw_matrices, frame=frame, name=name))


def _draw_matrices(ax: Axes, frame: pd.DataFrame, name: str) -> None:
    names, styles = labels(frame), method_styles(frame["method"])
    for rank, method in enumerate(in_order(names)):
        line = ratios_over_seeds(frame[frame["method"] == method], MATRIX, name)
        draw_band(ax, line, styles[method], names[method], rank, order=10 - rank)
    _finish(ax, frame, MATRIX)


def seeds_panel(frame: pd.DataFrame, kind: str, title: str, name: str) -> Panel:
    """One kind of units of one model and method, by layer: one line a search."""
    return Panel(title, partial(_draw_seeds, frame=frame[frame["kind"] == kind], name=name))


def _draw_seeds(ax: Axes, frame: pd.DataFrame, name: str) -> None:
    for rank, (key, style) in enumerate(zip(search_keys(frame), series_styles(), strict=False)):
        line = ratios_over_seeds(frame[frame["key"] == key], LAYER, name)
        draw_band(ax, line, style, f"search {rank + 1}", rank)
    _finish(ax, frame, LAYER)


def stages_panel(layers: np.ndarray, ratios: Sequence[np.ndarray], styles: Sequence[Style], title: str) -> Panel:
    """Ratios (layers,) of one kind of units at several episodes of a search."""

    def draw(ax: Axes) -> None:
        for rank, (values, style) in enumerate(zip(ratios, styles, strict=True)):
            ax.plot(layers, values, **style.of_line(), **by_points(len(layers), rank))
        _axes(ax, LAYER, 1.0)

    return Panel(title, draw)


def search_keys(frame: pd.DataFrame) -> list[str]:
    """The searches of a frame by seed."""
    return list(dict.fromkeys(frame.sort_values("seed", kind="stable")["key"]))


def series_styles() -> list[Style]:
    """Looks of lines of one sort: more than there are searches to compare."""
    return [*SERIES, *(Style(s.colour, "X", s.line, hollow=True) for s in SERIES)]


def _finish(ax: Axes, frame: pd.DataFrame, place: str) -> None:
    """Axes of a panel of strategies at one sparsity, with the line of uniform pruning."""
    ax.axhline(1 - frame["sparsity"].iloc[0], **REFERENCE)
    _axes(ax, place, frame["ratio"].max())


def _axes(ax: Axes, place: str, highest: float) -> None:
    """One of two scales, so that panels can be compared: up to 1, or to 0.6 where nothing is above."""
    ax.set_ylim(*((-0.03, 0.63) if highest <= 0.6 else (-0.05, 1.05)))
    ax.set_xlabel("layer" if place == LAYER else "index of weight matrix")
    ax.set_ylabel(RATIO)
    whole_numbers(ax)


def kind_entries() -> dict[str, Artist]:
    """Legend of :func:`structured_panel`."""
    return {KIND_LABELS[kind]: KINDS[kind].handle(KIND_LABELS[kind]) for kind in ("mha", "ffn")}


def method_entries(frame: pd.DataFrame) -> dict[str, Artist]:
    """Legend of :func:`matrices_panel`."""
    names, styles = labels(frame), method_styles(frame["method"])
    return {names[method]: styles[method].handle(names[method]) for method in in_order(names)}


def seed_entries(frame: pd.DataFrame) -> dict[str, Artist]:
    """Legend of :func:`seeds_panel`."""
    styles = zip(search_keys(frame), series_styles(), strict=False)
    return {f"search {rank}": style.handle("") for rank, (_, style) in enumerate(styles, start=1)}


def uniform_entry() -> dict[str, Artist]:
    """Legend of the line of uniform pruning."""
    return {"Uniform": Line2D([], [], **REFERENCE)}
