"""Figure 11: structured strategies: searches that differ in their seed alone, then one strategy a model."""

import sys

from sparsitysolver.config.figures import FigureDefinition
from sparsitysolver.reporting.plots.command import Data, Picture, main
from sparsitysolver.reporting.plots.contracts import models_of, select
from sparsitysolver.reporting.plots.panels import page
from sparsitysolver.reporting.plots.strategies import (
    kind_entries,
    seed_entries,
    seeds_panel,
    structured_panel,
    uniform_entry,
)
from sparsitysolver.reporting.plots.style import KIND_LABELS

NAME = "strategies_figure11.csv"


def draw(data: Data, definition: FigureDefinition) -> Picture:
    """Two panels of the model with most searches at one sparsity, and a panel for every model at the other."""
    structured = select(data["strategies"], NAME, granularity="structured", method=definition.setting("method"))
    seeds = select(structured, NAME, sparsity=definition.setting("seeds_sparsity"))
    counts = seeds.groupby("model", sort=False)["key"].nunique()
    seeds = seeds[seeds["model"] == counts.idxmax()]
    at = {key: f"{definition.setting(key):.0%}" for key in ("sparsity", "seeds_sparsity")}
    panels = [
        seeds_panel(seeds, kind, f"{KIND_LABELS[kind]}, {counts.idxmax()}, {at['seeds_sparsity']}", NAME)
        for kind in ("mha", "ffn")
    ]
    units = select(structured, NAME, sparsity=definition.setting("sparsity"))
    for model in models_of(units):
        panels.append(structured_panel(units[units["model"] == model], f"{model}, {at['sparsity']}", NAME))
    legend = seed_entries(seeds) | kind_entries() | uniform_entry()
    return Picture(page(panels, legend), at | {"searches": str(counts.max()), "seeds_model": counts.idxmax()})


if __name__ == "__main__":
    sys.exit(main("figure11", draw))
