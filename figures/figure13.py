"""Figure 13: the strategy at several episodes of one search."""

import itertools
import json

import numpy as np
import pandas as pd

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.panels import Line, page
from sparsitysolver.reporting.plots.rows import FILE, by_model, by_search, refuse, wrong_row
from sparsitysolver.reporting.plots.strategies import ratios_panel
from sparsitysolver.reporting.plots.style import looks


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a model, MHA and FFN apart, one line an episode of the model's first search.

    Episodes are the first, those after a third and two thirds of the search, and the last; each once.
    """
    shown, panels, kinds = [], [], looks().kinds
    for model, rows in by_model(data["curves"]):
        run, count = by_search(rows)[0].sort_values("episode"), len(by_search(rows)[0])
        stages = dict.fromkeys([0, max(0, count // 3 - 1), max(0, 2 * count // 3 - 1), count - 1])
        shown.append((model, run.iloc[list(stages)]))
    texts = [
        " / ".join(f"{episode:g}" for episode in dict.fromkeys(episodes) if episode is not None)
        for episodes in itertools.zip_longest(*(run["episode"] for _, run in shown))
    ]  # several where searches differ in length
    styles = [*looks().stages[: len(texts) - 1], looks().stages[-1]]  # the last is always the darkest
    for model, run in shown:
        units = _units_of(data["strategies"], model, run["granularity"].iloc[0])
        ratios = np.stack([_kept_ratios(run, line, units) for line in run.index])
        for kind, of_kind in units.reset_index().groupby("kind", sort=False):
            lines = [
                Line(f"episode {text}", style, of_kind["layer"].to_numpy(), values[None, of_kind.index], rank)
                for rank, (text, style, values) in enumerate(zip(texts, styles, ratios, strict=False))
            ]
            name = kinds[kind].label if kind in kinds else kind
            panels.append(ratios_panel(f"{name}, {model}", "layer", lines, highest=1.0))
    return Picture(page(panels), {"episodes": ", ".join(texts)})


def _units_of(strategies: pd.DataFrame, model: str, granularity: str) -> pd.DataFrame:
    """Unit, kind, layer and size of a model's units, in order, from its strategies, which must agree on them."""
    rows = strategies[(strategies["model"] == model) & (strategies["granularity"] == granularity)]
    if rows.empty:
        raise SparsitySolverError(
            f"{strategies.attrs[FILE]}: no {granularity} strategy of {model}, whose units' sizes are needed."
        )
    units = rows.drop_duplicates(["unit", "kind", "layer", "size"]).sort_values("unit")
    differs = "unit {unit:g} differs from that of another strategy of the same model."
    refuse(units, units["unit"].duplicated(), differs)
    return units


def _kept_ratios(run: pd.DataFrame, line: int, units: pd.DataFrame) -> np.ndarray:
    """Preserved ratios (units,) of the candidate in one line of a curve: a count a unit, none above its size."""
    try:
        kept = np.array(json.loads(run.loc[line, "kept"]), dtype=float)
    except (ValueError, TypeError) as error:
        raise wrong_row(run, line, "kept is no list of counts.") from error
    sizes = units["size"].to_numpy()
    if kept.shape != sizes.shape:
        counts = f"kept holds {kept.size} counts, where the model has {len(sizes)} units; each needs one."
        raise wrong_row(run, line, counts)
    for unit in np.flatnonzero(~((kept >= 0) & (kept <= sizes))):
        raise wrong_row(run, line, f"kept is {kept[unit]:g} for unit {unit}, which has {sizes[unit]:g} items.")
    return kept / sizes


if __name__ == "__main__":
    raise SystemExit(main("figure13", draw))
