"""How a strategy changes over the episodes of a search (Figure 13)."""

import itertools
import json

import numpy as np
import pandas as pd

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import CURVES, STRATEGIES
from sparsitysolver.reporting.plots.lines import Line
from sparsitysolver.reporting.plots.panels import Panel, page
from sparsitysolver.reporting.plots.rows import FILE, by_model, by_search, refuse, wrong_row
from sparsitysolver.reporting.plots.strategies import LAYER, ratios_panel
from sparsitysolver.reporting.plots.style import KIND_LABELS, STAGES


def draw_evolution(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a model, MHA and FFN apart, one line an episode of the model's first search."""
    models = by_model(data[CURVES])
    shown = [_at_stages(by_search(rows)[0]) for _, rows in models]
    texts = [
        " / ".join(f"{episode:g}" for episode in dict.fromkeys(episodes) if episode is not None)
        for episodes in itertools.zip_longest(*(run["episode"] for run in shown))
    ]  # several where searches differ in length
    panels = []
    for (model, _), run in zip(models, shown, strict=True):
        units = _units_of(data[STRATEGIES], model, run["granularity"].iloc[0])
        ratios = np.stack([_kept_ratios(run, line, units) for line in run.index])
        for kind in dict.fromkeys(units["kind"]):
            panels.append(_panel(f"{KIND_LABELS.get(kind, kind)}, {model}", units, ratios, kind, texts))
    return Picture(page(panels), {"episodes": ", ".join(texts)})


def _at_stages(run: pd.DataFrame) -> pd.DataFrame:
    """The first episode, those after a third and two thirds of the search, and the last; each once."""
    count = len(run)
    stages = dict.fromkeys([0, max(0, count // 3 - 1), max(0, 2 * count // 3 - 1), count - 1])
    return run.sort_values("episode").iloc[list(stages)]


def _panel(title: str, units: pd.DataFrame, ratios: np.ndarray, kind: str, texts: list[str]) -> Panel:
    """Ratios (stages, units) of one kind of units by layer; the last of all stages is always the darkest."""
    of_kind = (units["kind"] == kind).to_numpy()
    looks = [*STAGES[: len(texts) - 1], STAGES[-1]]
    lines = [
        Line(f"episode {text}", look, units["layer"].to_numpy()[of_kind], values[None, of_kind], rank)
        for rank, (text, look, values) in enumerate(zip(texts, looks, ratios, strict=False))
    ]
    return ratios_panel(title, LAYER, lines, highest=1.0)


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
    wrong = np.flatnonzero(~((kept >= 0) & (kept <= sizes)))
    if len(wrong):
        unit = wrong[0]
        raise wrong_row(run, line, f"kept is {kept[unit]:g} for unit {unit}, which has {sizes[unit]:g} items.")
    return kept / sizes
