"""Searches out of their curves: perplexity and reward by episode, and what is told from them (no drawing)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.long_tables import row_name
from sparsitysolver.reporting.plots.contracts import check_one_run_a_seed, labels
from sparsitysolver.reporting.plots.style import Style, in_order, method_styles

REWARD, PPL = "reward", "ppl"
_SAME = 1e-3  # relative difference from which two dense perplexities are not of the same windows


@dataclass(frozen=True)
class Search:
    """The searches of one method on one model: perplexity and reward (seeds, episodes).

    Perplexity is infinite where a candidate had no finite one.
    """

    label: str
    style: Style
    ppl: np.ndarray
    reward: np.ndarray

    @property
    def episodes(self) -> np.ndarray:
        """Numbers of the episodes, from 0."""
        return np.arange(self.reward.shape[1])

    def values(self, quantity: str) -> np.ndarray:
        """Perplexity or reward (seeds, episodes)."""
        return self.ppl if quantity == PPL else self.reward


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over the last ``window`` episodes of ``values`` (..., episodes); NaN as long as there are fewer.

    What is not finite is left out; NaN where nothing remains.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=-1)
    finite = np.isfinite(windows)
    sums, counts = np.where(finite, windows, 0.0).sum(axis=-1), finite.sum(axis=-1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.concatenate([np.full((*values.shape[:-1], window - 1), np.nan), means], axis=-1)


def running_best(values: np.ndarray, quantity: str) -> np.ndarray:
    """Best value up to every episode of ``values`` (..., episodes): lowest perplexity, highest reward."""
    accumulate = np.minimum if quantity == PPL else np.maximum
    return accumulate.accumulate(values, axis=-1)


def episode_within(ppl: np.ndarray, tolerance: float, horizon: int) -> int:
    """First episode whose perplexity is within ``tolerance`` (a fraction) of the best of the first ``horizon``.

    Args:
        ppl: (episodes,), infinite where there was no finite perplexity.
    """
    best = ppl[:horizon].min()
    return int(np.argmax(ppl[:horizon] <= (1 + tolerance) * best))


def searches_of(frame: pd.DataFrame, name: str) -> list[Search]:
    """Every method of one model, in the order of legends.

    Args:
        frame: rows of curves of one model and sparsity.
        name: file that messages name.

    Raises:
        SparsitySolverError: a search with gaps, seeds of different length, or two searches of one seed.
    """
    check_one_run_a_seed(frame, name)
    names, styles = labels(frame), method_styles(frame["method"])
    found = []
    for method in in_order(names):
        of_method = frame[frame["method"] == method]
        runs = [_run(run, name) for _, run in of_method.groupby("key", sort=False)]
        lengths = sorted({len(run) for run in runs})
        if len(lengths) > 1:
            raise SparsitySolverError(
                f"{name}: searches by {method} on {of_method['model'].iloc[0]} have {lengths[0]} and {lengths[-1]} "
                "episodes; a band over seeds needs as many of each."
            )
        ppl, reward = (np.stack([run[quantity] for run in runs]) for quantity in (PPL, REWARD))
        found.append(Search(names[method], styles[method], ppl, reward))
    return found


def _run(run: pd.DataFrame, name: str) -> pd.DataFrame:
    """One search in the order of its episodes, which must be 0, 1, 2 ... each once."""
    ordered = run.sort_values("episode", kind="stable")
    wrong = np.flatnonzero(ordered["episode"].to_numpy() != np.arange(len(ordered)))
    if len(wrong):
        line = ordered.index[wrong[0]]
        raise SparsitySolverError(
            f"{name}, line {line} ({row_name(run, line)}): episode {ordered.loc[line, 'episode']:g} found where "
            f"{wrong[0]} is due; a search has every episode once."
        )
    return ordered


def uniform_of(frame: pd.DataFrame, name: str) -> dict[str, float]:
    """Perplexity and reward of uniform pruning on one model's reward windows, as far as measured: means over searches.

    Searches of other seeds have other calibration windows, and so keep other heads and neurons of the same numbers.

    Raises:
        SparsitySolverError: searches that were rewarded on different windows, by what the dense model has on them.
    """
    dense = frame["dense_ppl"].dropna()
    if not dense.empty and dense.max() - dense.min() > _SAME * dense.mean():
        low, high = dense.idxmin(), dense.idxmax()
        raise SparsitySolverError(
            f"{name}: dense_ppl is {dense[low]:g} in line {low} ({row_name(frame, low)}) and {dense[high]:g} in line "
            f"{high} ({row_name(frame, high)}): these searches were not rewarded on the same windows."
        )
    measured = {quantity: frame[f"uniform_{quantity}"].dropna() for quantity in (PPL, REWARD)}
    return {quantity: float(values.mean()) for quantity, values in measured.items() if not values.empty}
