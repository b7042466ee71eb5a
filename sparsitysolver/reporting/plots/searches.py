"""Searches out of their curves: perplexity and reward by episode, and what is told from them (no drawing)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.plots.rows import FILE, by_method, by_search, check_one_run_a_seed, place, refuse
from sparsitysolver.reporting.plots.style import Style

REWARD, PPL = "reward", "ppl"
_SAME = 1e-3  # relative difference from which two dense perplexities are not of the same windows


@dataclass(frozen=True)
class Search:
    """The searches of one method on one model: values (seeds, episodes) of perplexity and reward.

    Perplexity is infinite where a candidate had no finite one.
    """

    label: str
    style: Style
    values: Mapping[str, np.ndarray]


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over the last ``window`` episodes of ``values`` (..., episodes); NaN as long as there are fewer.

    What is not finite is left out; NaN where nothing remains.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=-1)
    finite = np.isfinite(windows)
    sums, counts = np.where(finite, windows, 0.0).sum(axis=-1), finite.sum(axis=-1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.concatenate([np.full((*values.shape[:-1], window - 1), np.nan), means], axis=-1)


def episode_within(ppl: np.ndarray, tolerance: float, horizon: int) -> int:
    """First episode of ``ppl`` (episodes,) within ``tolerance`` (a fraction) of the best of the first ``horizon``."""
    return int(np.argmax(ppl[:horizon] <= (1 + tolerance) * ppl[:horizon].min()))


def searches_of(frame: pd.DataFrame) -> list[Search]:
    """Every method of one model and sparsity, in the order of legends.

    Raises:
        SparsitySolverError: a search with gaps, seeds of different length, or two searches of one seed.
    """
    check_one_run_a_seed(frame)
    found = []
    for method in by_method(frame):
        runs = [_in_order(run) for run in by_search(method.rows)]
        lengths = sorted({len(run) for run in runs})
        if len(lengths) > 1:
            raise SparsitySolverError(
                f"{frame.attrs[FILE]}: searches by {method.key} on {frame['model'].iloc[0]} have {lengths[0]} and "
                f"{lengths[-1]} episodes; a band over seeds needs as many of each."
            )
        values = {quantity: np.stack([run[quantity] for run in runs]) for quantity in (PPL, REWARD)}
        found.append(Search(method.label, method.style, values))
    return found


def _in_order(run: pd.DataFrame) -> pd.DataFrame:
    """One search in the order of its episodes, which must be 0, 1, 2 ... each once."""
    ordered = run.sort_values("episode", kind="stable").assign(due=range(len(run)))
    found = "episode {episode:g} found where {due} is due; a search has every episode once."
    refuse(ordered, ordered["episode"] != ordered["due"], found)
    return ordered


def uniform_of(frame: pd.DataFrame) -> dict[str, float]:
    """Perplexity and reward of uniform pruning on one model's reward windows, as far as measured: means over searches.

    Searches of other seeds have other calibration windows, and so keep other heads and neurons of the same numbers.

    Raises:
        SparsitySolverError: searches that were rewarded on different windows, by what the dense model has on them.
    """
    dense = frame["dense_ppl"].dropna()
    if not dense.empty and dense.max() - dense.min() > _SAME * dense.mean():
        low, high = (f"{dense[line]:g} in {place(frame, line)}" for line in (dense.idxmin(), dense.idxmax()))
        raise SparsitySolverError(
            f"{frame.attrs[FILE]}: dense_ppl is {low} and {high}: these searches were not rewarded on the same windows."
        )
    means = {quantity: frame[f"uniform_{quantity}"].mean() for quantity in (PPL, REWARD)}
    return {quantity: mean for quantity, mean in means.items() if np.isfinite(mean)}
