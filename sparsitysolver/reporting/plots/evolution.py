"""How a strategy changes over the episodes of a search (Figure 13)."""

import json

import numpy as np
import pandas as pd

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.long_tables import row_name
from sparsitysolver.reporting.plots.command import Data, Picture
from sparsitysolver.reporting.plots.contracts import CURVES, STRATEGIES, models_of
from sparsitysolver.reporting.plots.panels import page
from sparsitysolver.reporting.plots.strategies import search_keys, stages_panel
from sparsitysolver.reporting.plots.style import KIND_LABELS, STAGES, Style


def stages(episodes: int) -> list[int]:
    """The first episode, those after a third and two thirds of the search, and the last; each once."""
    last = episodes - 1
    return list(dict.fromkeys([0, max(0, episodes // 3 - 1), max(0, 2 * episodes // 3 - 1), last]))


def units_of_model(frame: pd.DataFrame, model: str, granularity: str, name: str) -> pd.DataFrame:
    """Unit, kind, layer and size of a model's units, in order, from any of its strategies.

    Raises:
        SparsitySolverError: no strategy of the model, or two that disagree on its units.
    """
    rows = frame[(frame["model"] == model) & (frame["granularity"] == granularity)]
    if rows.empty:
        raise SparsitySolverError(f"{name}: no {granularity} strategy of {model}, whose units' sizes are needed.")
    units = rows[["unit", "kind", "layer", "size"]].drop_duplicates().sort_values("unit")
    if units["unit"].duplicated().any():
        line = units.index[units["unit"].duplicated()][0]
        raise SparsitySolverError(
            f"{name}, line {line} ({row_name(frame, line)}): unit {units.loc[line, 'unit']:g} differs from that of "
            "another strategy of the same model."
        )
    return units


def kept_ratios(run: pd.DataFrame, line: int, units: pd.DataFrame, name: str) -> np.ndarray:
    """Preserved ratios (units,) of the candidate in one line of a curve.

    Raises:
        SparsitySolverError: ``kept`` is no list of counts, one a unit and none above its size.
    """
    try:
        kept = np.array(json.loads(run.loc[line, "kept"]), dtype=float)
    except (ValueError, TypeError) as error:
        raise SparsitySolverError(f"{name}, line {line} ({row_name(run, line)}): kept is no list of counts.") from error
    sizes = units["size"].to_numpy()
    if kept.shape != sizes.shape:
        raise SparsitySolverError(
            f"{name}, line {line} ({row_name(run, line)}): kept holds {kept.size} counts, where the model has "
            f"{len(sizes)} units; each needs one."
        )
    wrong = np.flatnonzero(~((kept >= 0) & (kept <= sizes)))
    if len(wrong):
        raise SparsitySolverError(
            f"{name}, line {line} ({row_name(run, line)}): kept is {kept[wrong[0]]:g} for unit {wrong[0]}, which has "
            f"{sizes[wrong[0]]:g} items."
        )
    return kept / sizes


def draw_evolution(data: Data, definition: FigureDefinition) -> Picture:
    """One row of panels a model, MHA and FFN apart, one line an episode of the model's first search.

    Raises:
        SparsitySolverError: see :func:`units_of_model` and :func:`kept_ratios`.
    """
    curves_name, units_name = (f"{kind}_{definition.name}.csv" for kind in (CURVES, STRATEGIES))
    curves, panels, episodes = data[CURVES], [], []
    for model in models_of(curves):
        of_model = curves[curves["model"] == model]
        run = of_model[of_model["key"] == search_keys(of_model)[0]].sort_values("episode")
        units = units_of_model(data[STRATEGIES], model, run["granularity"].iloc[0], units_name)
        lines = [run.index[stage] for stage in stages(len(run))]
        episodes.append([f"{run.loc[line, 'episode']:g}" for line in lines])
        ratios = [kept_ratios(run, line, units, curves_name) for line in lines]
        for kind in dict.fromkeys(units["kind"]):
            chosen = (units["kind"] == kind).to_numpy()
            title = f"{KIND_LABELS.get(kind, kind)}, {model}"
            layers = units["layer"].to_numpy()[chosen]
            panels.append(stages_panel(layers, [r[chosen] for r in ratios], _looks(len(lines)), title))
    texts = _texts(episodes)
    legend = {f"episode {text}": style.handle("") for text, style in zip(texts, _looks(len(texts)), strict=True)}
    return Picture(page(panels, legend), {"episodes": ", ".join(texts)})


def _looks(count: int) -> list[Style]:
    """Looks of stages, the last one always the darkest."""
    return [*STAGES[: count - 1], STAGES[-1]] if count < len(STAGES) else list(STAGES)


def _texts(episodes: list[list[str]]) -> list[str]:
    """Numbers of the stages; several where searches differ in length."""
    longest = max(map(len, episodes))
    return [" / ".join(dict.fromkeys(e[stage] for e in episodes if stage < len(e))) for stage in range(longest)]
