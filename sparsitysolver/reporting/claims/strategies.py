"""Claims about strategies: where they keep more, and how freely they vary."""

from typing import Literal

import numpy as np
import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import Judgement, Run, not_run, over_runs

_POINTS = "points of preserved ratio"


def more_in_middle(
    results: Results, *, method: str, sparsity: float, outer: Literal["both", "front", "back"] = "both"
) -> Judgement:
    """The middle third of the layers keeps more than the first third, the last, or both; the effect is how much more.

    A layer keeps the mean of its units' ratios. Of L layers the first and last L // 3 are the outer ones.

    Args:
        results: of the models to judge; those of fewer than three layers are left out.
        method: whose strategies.
        sparsity: target sparsity.
        outer: which of the outer layers.
    """
    effects = {}
    for run, units in strategies(results, method, sparsity).items():
        layers = units.groupby("layer")["ratio"].mean().sort_index().to_numpy()
        third = len(layers) // 3
        if third:
            ends = {"front": layers[:third], "back": layers[-third:]}
            others = np.concatenate(list(ends.values())) if outer == "both" else ends[outer]
            effects[run] = 100 * float(layers[third:-third].mean() - others.mean())
    return over_runs(effects, _POINTS) if effects else not_run(f"no strategy of {method} over three layers or more")


def more_varied(results: Results, *, method: str, than: str, sparsity: float) -> Judgement:
    """A method's ratios differ more within a layer than another's; the effect is the difference of their spreads.

    A spread is the standard deviation of the ratios of a layer's units, meaned over layers.
    """
    own, others = strategies(results, method, sparsity), strategies(results, than, sparsity)
    effects = {run: 100 * (_spread(own[run]) - _spread(others[run])) for run in own if run in others}
    return over_runs(effects, _POINTS) if effects else not_run(f"no strategy of {method} beside one of {than}")


def _spread(units: pd.DataFrame) -> float:
    return float(units.groupby("layer")["ratio"].std(ddof=0).mean())


def strategies(results: Results, method: str, sparsity: float) -> dict[Run, pd.DataFrame]:
    """The strategies of a method at a sparsity by model and seed, but for those of single tasks, a row per unit.

    Raises:
        SparsitySolverError: two strategies of one model and seed.
    """
    if results.strategies is None:
        return {}
    chosen = of_sparsity(results.strategies, sparsity)
    chosen = chosen[(chosen["method"] == method) & (chosen["task"] == "")]
    found = {}
    for (model, seed), units in chosen.groupby(["model", "seed"], sort=False):
        if units["unit"].duplicated().any():
            raise SparsitySolverError(
                f"strategies.csv holds several strategies of {method} on {model}, sparsity {sparsity:g}, seed "
                f"{seed:g}; a claim needs one: collect the strategies again."
            )
        found[model, int(seed)] = units
    return found
