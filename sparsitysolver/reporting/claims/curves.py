"""Claims about searches: what they reach, how soon, and how steadily. A run is the search of one model and seed.

Rewards are compared rather than perplexities: they are finite where a candidate broke the model (reward 0). Rewards
that are noisy from episode to episode are smoothed by a trailing mean over a twentieth of the run, at least one PPO
update.
"""

import json
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import Judgement, Run, not_comparable, not_run, numbers_within, over_runs

UPDATE = 15  # episodes of one PPO update (paper, Table 7)
LATE = 2 / 3  # where the last third of a run begins


def curve_better(
    results: Results,
    *,
    method: str,
    than: str,
    measure: Literal["best", "late"] = "best",
    sparsity: float | None = None,
) -> Judgement:
    """A search earns more than another: by its best episode, or by the mean of its last third.

    The effect is the difference of rewards in percent of the larger one.
    """
    value = {"best": lambda run: run["reward"].max(), "late": lambda run: _late(run)["reward"].mean()}[measure]
    return _paired(results, method, than, sparsity, lambda one, other: percent(value(one), value(other)), "% reward")


def converges(
    results: Results, *, method: str, share: float, within: float, sparsity: float | None = None
) -> Judgement:
    """The smoothed reward comes within a share of its gain of its best, in a share of the run's own episodes.

    The effect is by how many percent of the run it was there before that. A reward that never rises above its start
    does not converge.

    Args:
        results: of the models to judge.
        method: whose searches.
        share: of the episodes, in (0, 1].
        within: 0.05: 95% of the gain from the first episodes to the best.
        sparsity: target sparsity of the searches; needed where the method has several.
    """
    found = runs(results, method, sparsity)
    effects = {run: 100 * (share - _settled(curve, within) / len(curve)) for run, curve in found.items()}
    return over_runs(effects, "% of the run before the limit") if effects else no_search(method)


def episodes_to(
    results: Results,
    *,
    method: str,
    by: int,
    of: int,
    within: float = 0.05,
    sparsity: float | None = None,
) -> Judgement:
    """A search has converged, as in :func:`converges`, by an episode; the effect is how many episodes before it.

    Args:
        results: of the models to judge.
        method: whose searches.
        by: the number of episodes claimed.
        of: episodes that a run needs to be comparable.
        within: as in :func:`converges`.
        sparsity: as in :func:`converges`.
    """
    long, judgement = _long_enough(runs(results, method, sparsity), method, of)
    if judgement:
        return judgement
    needed = {run: _settled(curve, within) for run, curve in long.items()}
    return over_runs({run: float(by - episodes) for run, episodes in needed.items()}, "episodes before the limit")


def faster(results: Results, *, method: str, than: str, sparsity: float | None = None) -> Judgement:
    """A search needs fewer episodes than another; the effect is how many fewer, in percent of the larger number.

    Both are to reach the lower of their two best rewards.
    """

    def fewer(one: pd.DataFrame, other: pd.DataFrame) -> float:
        common = min(one["reward"].max(), other["reward"].max())
        return percent(_first(other["reward"] >= common), _first(one["reward"] >= common))

    return _paired(results, method, than, sparsity, fewer, "% fewer episodes")


def oscillates(results: Results, *, method: str, than: str, sparsity: float | None = None) -> Judgement:
    """The perplexity of a search swings more than that of another, over the last third of each.

    Measured as standard deviation of the logarithm; episodes without a finite perplexity are left out, in favour of the
    search that has them, and so are runs without any other. The effect is the difference in percent of the larger one.
    """

    def swings(one: pd.DataFrame, other: pd.DataFrame) -> float | None:
        parts = [_late(run)["ppl"] for run in (one, other)]
        logarithms = [np.log(part[np.isfinite(part)]) for part in parts]
        if not all(map(len, logarithms)):
            return None
        return percent(*(values.std(ddof=0) for values in logarithms))

    return _paired(results, method, than, sparsity, swings, "% swing")


def rises(results: Results, *, method: str, after: int, of: int, sparsity: float | None = None) -> Judgement:
    """The reward rises steadily after an episode: the effect is the rank correlation of reward and episode from there.

    Arguments as in :func:`episodes_to`.
    """
    long, judgement = _long_enough(runs(results, method, sparsity), method, of)
    if judgement:
        return judgement
    later = {run: curve[curve["episode"] >= after] for run, curve in long.items()}
    effects = {
        run: float(stats.spearmanr(part["episode"], part["reward"]).statistic) if _varies(part["reward"]) else 0.0
        for run, part in later.items()
    }
    return over_runs(effects, "rank correlation")


def overlap(results: Results, *, method: str, at: list[int], of: int, sparsity: float | None = None) -> Judgement:
    """The strategies of two late episodes lie closer to each other than those of an early and a late one.

    A distance is the mean over units of the difference in what is kept, relative to the most any episode keeps there.
    The effect is how much closer, in percent of the larger distance.

    Args:
        results: of the models to judge.
        method: whose searches.
        at: three episodes, early, late and last.
        of: the number of episodes these count in; on other runs they are taken in proportion.
        sparsity: as in :func:`converges`.
    """

    def closer(run: pd.DataFrame) -> float:
        kept = np.array([json.loads(text) for text in run["kept"]], dtype=float)
        early, late, last = kept[[round(episode / (of - 1) * (len(run) - 1)) for episode in at]]
        most = np.maximum(kept.max(axis=0), 1)
        return percent((np.abs(early - late) / most).mean(), (np.abs(late - last) / most).mean())

    effects = {run: closer(curve) for run, curve in runs(results, method, sparsity).items()}
    return over_runs(effects, "% closer") if effects else no_search(method)


def rewards_in_range(
    results: Results,
    *,
    method: str,
    low: float | None = None,
    high: float | None = None,
    sparsity: float | None = None,
) -> Judgement:
    """The smoothed reward at the end lies in an allowed range, its ends included."""
    found = runs(results, method, sparsity)
    values = [(model, float(smoothed(curve).iloc[-1])) for (model, _), curve in found.items()]
    return numbers_within(values, low, high, "final reward") if values else no_search(method)


def runs(results: Results, method: str, sparsity: float | None = None) -> dict[Run, pd.DataFrame]:
    """The searches of a method on the text's perplexity, by model and seed, each in order of its episodes.

    Raises:
        SparsitySolverError: two searches of one model and seed.
    """
    if results.curves is None:
        return {}
    curves = of_sparsity(results.curves, sparsity)
    curves = curves[(curves["method"] == method) & (curves["task"] == "")]
    found = {}
    for (model, seed), curve in curves.groupby(["model", "seed"], sort=False):
        if curve["episode"].duplicated().any():
            sparsities = ", ".join(f"{value:g}" for value in sorted(set(curve["sparsity"])))
            raise SparsitySolverError(
                f"curves.csv holds several searches of {method} on {model}, seed {seed:g} (sparsity {sparsities}); "
                "a claim needs one: name its sparsity, or collect the curves again."
            )
        found[model, int(seed)] = curve.sort_values("episode").reset_index(drop=True)
    return found


def smoothed(run: pd.DataFrame) -> pd.Series:
    """Trailing mean of the rewards, from the first full window on."""
    window = min(len(run), max(UPDATE, len(run) // 20))
    return run["reward"].rolling(window).mean().iloc[window - 1 :]


def _settled(run: pd.DataFrame, within: float) -> int:
    """Episodes until the smoothed reward has all but a share of its gain; the whole run where there is no gain."""
    curve = smoothed(run)
    gain = curve.max() - curve.iloc[0]
    if gain <= 0:
        return len(run)
    return int((curve >= curve.max() - within * gain).idxmax()) + 1


def _first(reached: pd.Series) -> int:
    """Episodes until a condition is first met; one more than there are where it never is."""
    return int(np.argmax(reached)) + 1 if reached.any() else len(reached) + 1


def _varies(values: pd.Series) -> bool:
    return bool((values != values.iloc[0]).any())


def _late(run: pd.DataFrame) -> pd.DataFrame:
    return run.iloc[int(LATE * len(run)) :]


def percent(one: float, other: float) -> float:
    """How far one number lies above another, in percent of the larger: within -100 and 100 for positive numbers."""
    larger = max(abs(one), abs(other))
    return 100 * float(one - other) / float(larger) if larger else 0.0


def _paired(
    results: Results,
    method: str,
    than: str,
    sparsity: float | None,
    effect: Callable[[pd.DataFrame, pd.DataFrame], float | None],
    unit: str,
) -> Judgement:
    """A verdict over the runs that two methods share; an effect of None leaves a run out."""
    own, others = runs(results, method, sparsity), runs(results, than, sparsity)
    effects = {run: effect(own[run], others[run]) for run in own if run in others}
    known = {run: value for run, value in effects.items() if value is not None}
    return over_runs(known, unit) if known else no_search(f"{method} beside one of {than}")


def no_search(what: str) -> Judgement:
    """Nothing to judge by: no search of a method, or of several together."""
    return not_run(f"no search of {what}")


def _long_enough(
    found: dict[Run, pd.DataFrame], what: str, of: int
) -> tuple[dict[Run, pd.DataFrame], Judgement | None]:
    """The runs of at least so many episodes, and where there are none the judgement that follows from that."""
    long = {run: curve for run, curve in found.items() if len(curve) >= of}
    if not found:
        return {}, no_search(what)
    longest = max(map(len, found.values()))
    return long, None if long else not_comparable(f"runs of up to {longest} episodes; the claim is about {of}")
