"""Figures drawn from made-up rows by their scripts, and what can be seen in them."""

import importlib.util
from pathlib import Path

import plot_factory as factory
from matplotlib.figure import Figure
from matplotlib.text import Text

from sparsitysolver import ROOT
from sparsitysolver.config.figures import load_figure
from sparsitysolver.reporting.plots import style
from sparsitysolver.reporting.plots.command import Picture, read_data

FIGURES = [*(f"figure{number}" for number in range(3, 15)), "arena"]


def script(name):
    """A figure's script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "figures" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(name: str, folder: Path, **files: list[dict]) -> Picture:
    """A figure drawn from rows by kind of results, as its script draws it."""
    definition = load_figure(name)
    for kind, rows in files.items():
        factory.write_whole(folder / f"{kind}_{name}.csv", rows)
    with style.style_sheet():
        picture = script(name).draw(read_data(definition, folder), definition)
        picture.figure.draw_without_rendering()
    return picture


def lines(ax) -> dict:
    """Labelled lines of a panel."""
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def panels(figure: Figure) -> list:
    return [ax for ax in figure.axes if ax.axison]


def check_readable(figure: Figure) -> None:
    """Every text lies on the page and is large enough, no two texts meet, and no legend lies on a panel."""
    with style.style_sheet():
        renderer, page = figure.canvas.get_renderer(), figure.bbox.padded(1)
        shown = [(text, text.get_window_extent(renderer)) for text in shown_texts(figure)]
        for index, (text, box) in enumerate(shown):
            assert page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1), text.get_text()
            assert text.get_fontsize() >= 6
            for other, other_box in shown[index + 1 :]:
                assert not box.padded(-1).overlaps(other_box.padded(-1)), (text.get_text(), other.get_text())
        legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
        boxes = [ax.get_window_extent(renderer) for ax in panels(figure)]
        assert not [box for legend in legends for box in boxes if legend.get_window_extent(renderer).overlaps(box)]


def shown_texts(figure: Figure) -> list[Text]:
    """Texts that are drawn: ticks beyond the limits of an axis exist, but are not."""
    hidden = set()
    for axis in (axis for ax in panels(figure) for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        hidden |= {tick.label1 for tick in ticks if not low <= tick.get_loc() <= high}
    texts = figure.findobj(Text)
    return [text for text in texts if text.get_visible() and text.get_text().strip() and text not in hidden]
