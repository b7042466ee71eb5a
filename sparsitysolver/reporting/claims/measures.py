"""What claims measure of a run, alone or against another one: small functions to a number that speaks for the claim.

A search is its curve, a row per episode; a strategy has a row per unit. Rewards are compared rather than perplexities:
they are finite where a candidate broke the model (reward 0). Rewards that are noisy from episode to episode are
smoothed by a trailing mean over a twentieth of the run, at least one PPO update. A measure is None for a run that lacks
what it looks at.

A search that starts with another's agent is measured against one from scratch: it is good once a perplexity is within
1% of the best that the search from scratch finds in all its episodes: the rule of Table 6, with another search's best.
Better than uniform pruning, or as good as its own best, a search is at once, a random one too.
"""

import json
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sparsitysolver.reporting.claims.rules import NotJudgedError
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.tables.measured import episodes_to

UPDATE = 15  # episodes of one PPO update (paper, Table 7)
LATE = 2 / 3  # where the last third of a run begins


class Measure(NamedTuple):
    """A function of runs and the unit of its numbers; ``of`` is what a run is, ``lacking`` what else it may lack."""

    function: Callable[..., Any]
    unit: str
    of: Literal["search", "strategy"] = "search"
    lacking: str = ""


MEASURES: dict[str, Measure] = {}


def measures(*row: str) -> Callable[[Callable], Callable]:
    """Enter a function among the measures, under its name, with the rest of its :class:`Measure`."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        MEASURES[function.__name__] = Measure(function, *row)
        return function

    return enter


@measures("% reward")
def best_reward(run: pd.DataFrame, than: pd.DataFrame) -> float:
    """The reward of the best episode."""
    return percent(run["reward"].max(), than["reward"].max())


@measures("% reward")
def late_reward(run: pd.DataFrame, than: pd.DataFrame) -> float:
    """The mean reward of the last third."""
    return percent(_late(run)["reward"].mean(), _late(than)["reward"].mean())


@measures("% fewer episodes")
def sooner(run: pd.DataFrame, than: pd.DataFrame) -> float:
    """Fewer episodes to the lower of the two best rewards."""
    common = min(run["reward"].max(), than["reward"].max())
    needed, of_other = (int(np.argmax(curve["reward"] >= common)) + 1 for curve in (run, than))
    return percent(of_other, needed)


@measures("% swing")
def late_swing(run: pd.DataFrame, than: pd.DataFrame) -> float | None:
    """The standard deviation of the logarithm of perplexity over the last third.

    Episodes without a finite perplexity are left out, in favour of the search that has them.
    """
    parts = [_late(curve)["ppl"] for curve in (run, than)]
    logarithms = [np.log(part[np.isfinite(part)]) for part in parts]
    return percent(*(values.std(ddof=0) for values in logarithms)) if all(map(len, logarithms)) else None


@measures("% of the run before the limit")
def converged(run: pd.DataFrame, *, share: float, within: float) -> float:
    """The smoothed reward has all but ``within`` of its gain, from the first episodes to the best, by a share of them.

    A reward that never rises above its start does not converge.
    """
    return 100 * (share - _settled(run, within) / len(run))


@measures("episodes before the limit")
def converged_by(run: pd.DataFrame, *, by: int, within: float = 0.05) -> float:
    """As :func:`converged`, by an episode."""
    return float(by - _settled(run, within))


@measures("rank correlation")
def rise(run: pd.DataFrame, *, after: int) -> float:
    """The rank correlation of reward and episode after an episode."""
    part = run[run["episode"] >= after]
    if not part["reward"].min() < part["reward"].max():
        return 0.0
    return float(stats.spearmanr(part["episode"], part["reward"]).statistic)


@measures("% closer")
def overlap(run: pd.DataFrame, *, at: tuple[int, int, int]) -> float:
    """The strategies of the last two of three episodes lie closer to each other than those of the first two.

    A distance is the mean over units of the difference in what is kept, relative to the most any episode keeps there.
    The third episode stands for the last one of a run: in shorter ones the others are taken in proportion.
    """
    kept = np.array([json.loads(text) for text in run["kept"]], dtype=float)
    early, late, last = kept[[round(episode / at[-1] * (len(run) - 1)) for episode in at]]
    most = np.maximum(kept.max(axis=0), 1)
    return percent((np.abs(early - late) / most).mean(), (np.abs(late - last) / most).mean())


@measures("episodes before the limit")
def good_by(run: pd.DataFrame, than: pd.DataFrame, *, by: int) -> float:
    """A search with another's agent is good by an episode."""
    if len(run) < by:
        raise NotJudgedError(Verdict.NOT_COMPARABLE, f"a run of {len(run)} episodes; the claim is about {by}")
    return float(by - (episodes_until_good(run, than)[0] or len(run) + 1))


@measures("% fewer episodes")
def good_sooner(run: pd.DataFrame, than: pd.DataFrame) -> float:
    """It is good in fewer episodes than the search from scratch needs; one that never is needs infinitely many."""
    needed, from_scratch = episodes_until_good(run, than)
    return percent(from_scratch, needed) if needed else -100.0


def episodes_until_good(run: pd.DataFrame, than: pd.DataFrame) -> tuple[int | None, int]:
    """Episodes until a search with another's agent, and the one from scratch, are good; None where never.

    Raises:
        NotJudgedError: the two cannot be measured against each other.
    """
    reason = ""
    if len(than) < len(run):
        reason = f"the search from scratch has {len(than)} episodes, fewer than {len(run)}"
    elif not np.isclose(*(curve["dense_ppl"].iloc[0] for curve in (run, than)), rtol=1e-9, equal_nan=True):
        reason = "the two searches were rewarded on different windows"
    elif not np.isfinite(than["ppl"]).any():
        reason = "the search from scratch found no finite perplexity"
    if reason:
        raise NotJudgedError(Verdict.NOT_COMPARABLE, reason)
    best = float(than["ppl"].min())
    needed, from_scratch = (episodes_to(curve["ppl"].tolist(), first=len(curve), best=best) for curve in (run, than))
    return needed, from_scratch


@measures("points of preserved ratio", "strategy", " over three layers or more")
def middle(run: pd.DataFrame, *, outer: Literal["both", "front", "back"] = "both") -> float | None:
    """What the middle third of the layers keeps above the first third, the last, or both.

    A layer keeps the mean of its units' ratios. Of L layers the first and last L // 3 are the outer ones; strategies of
    fewer than three have none.
    """
    layers = run.groupby("layer")["ratio"].mean().sort_index().to_numpy()
    third = len(layers) // 3
    if not third:
        return None
    ends = {"front": layers[:third], "back": layers[-third:]}
    others = np.concatenate(list(ends.values())) if outer == "both" else ends[outer]
    return 100 * float(layers[third:-third].mean() - others.mean())


@measures("points of preserved ratio", "strategy")
def variety(run: pd.DataFrame, than: pd.DataFrame) -> float:
    """The standard deviation of the ratios of a layer's units, meaned over layers."""
    own, others = (float(units.groupby("layer")["ratio"].std(ddof=0).mean()) for units in (run, than))
    return 100 * (own - others)


def percent(one: float, other: float) -> float:
    """How far one number lies above another, in percent of the larger: within -100 and 100 for positive numbers."""
    larger = max(abs(one), abs(other))
    return 100 * float(one - other) / float(larger) if larger else 0.0


def smoothed(run: pd.DataFrame) -> pd.Series:
    """Trailing mean of the rewards, from the first full window on."""
    window = min(len(run), max(UPDATE, len(run) // 20))
    return run["reward"].rolling(window).mean().iloc[window - 1 :]


def _settled(run: pd.DataFrame, within: float) -> int:
    """Episodes until the smoothed reward has all but a share of its gain; the whole run where there is no gain."""
    curve = smoothed(run)
    gain = curve.max() - curve.iloc[0]
    return int((curve >= curve.max() - within * gain).idxmax()) + 1 if gain > 0 else len(run)


def _late(run: pd.DataFrame) -> pd.DataFrame:
    return run.iloc[int(LATE * len(run)) :]
