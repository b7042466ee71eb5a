"""Claims about a search that starts with another's agent, measured against one from scratch at the same sparsity.

It is good once a perplexity is within 1% of the best that the search from scratch finds in all its episodes: the rule
of Table 6, with another search's best. Better than uniform pruning, or as good as its own best, a search is at once,
a random one too.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sparsitysolver.reporting.claims.curves import no_search, percent, runs
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.rules import (
    ClaimVerdict,
    Judgement,
    Run,
    not_comparable,
    numbers_within,
    over_runs,
)
from sparsitysolver.reporting.collected import episodes

SECONDS_OF_HOUR = 3600


@dataclass(frozen=True)
class Reused:
    """A search with another's agent beside one from scratch: episodes until each is good; None where never."""

    curve: pd.DataFrame
    needed: int | None
    from_scratch: int


def reaches_best_of(results: Results, *, method: str, than: str, by: int, sparsity: float) -> Judgement:
    """A search is good by an episode; the effect is how many episodes before it.

    Args:
        results: of the models to judge.
        method: whose searches.
        than: whose searches are from scratch.
        by: the number of episodes claimed; shorter runs are not comparable.
        sparsity: target sparsity of both.
    """
    found, judgement = _beside_scratch(results, method, than, sparsity, by)
    if judgement:
        return judgement
    effects = {run: float(by - (one.needed or len(one.curve) + 1)) for run, one in found.items()}
    return over_runs(effects, "episodes before the limit")


def sooner_at_best_of(results: Results, *, method: str, than: str, sparsity: float) -> Judgement:
    """A search is good in fewer episodes than the one from scratch needs; the effect is how many fewer, in percent.

    One that never is needs infinitely many. Arguments as in :func:`reaches_best_of`.
    """
    found, judgement = _beside_scratch(results, method, than, sparsity)
    if judgement:
        return judgement
    effects = {run: percent(one.from_scratch, one.needed) if one.needed else -100.0 for run, one in found.items()}
    return over_runs(effects, "% fewer episodes")


def gpu_hours_to_best_of(results: Results, *, method: str, than: str, high: float, sparsity: float) -> Judgement:
    """A search is good within a number of GPU hours: the seconds of its episodes until then, times its GPUs.

    One that never is fails, whatever it took. Other arguments as in :func:`reaches_best_of`.
    """
    found, judgement = _beside_scratch(results, method, than, sparsity)
    if judgement:
        return judgement
    on_gpus = {run: one for run, one in found.items() if one.curve["gpus"].iloc[0] > 0}
    if not on_gpus:
        return not_comparable("searched without a GPU, or their number was not recorded")
    hours = [(model, _gpu_hours(one)) for (model, _), one in on_gpus.items()]
    judgement = numbers_within(hours, None, high, "GPU hours")
    never = ", ".join(model for (model, _), one in on_gpus.items() if one.needed is None)
    note = f"{judgement.note}; never as good as the search from scratch: {never}"
    return replace(judgement, verdict=ClaimVerdict.FAILS, note=note) if never else judgement


def _gpu_hours(one: Reused) -> float:
    """GPU hours until a search is good; of all its episodes where it never is."""
    seconds = one.curve["seconds"].iloc[: one.needed or len(one.curve)].sum()
    return float(seconds * one.curve["gpus"].iloc[0] / SECONDS_OF_HOUR)


def _beside_scratch(
    results: Results, method: str, than: str, sparsity: float, least: int = 1
) -> tuple[dict[Run, Reused], Judgement | None]:
    """The runs that may be measured, and where there are none the judgement that follows from that."""
    own, scratch = (runs(results, key, sparsity) for key in (method, than))
    shared = [run for run in own if run in scratch]
    if not shared:
        return {}, no_search(f"{method} beside one of {than} at sparsity {sparsity:g}")
    reasons = {run: _not_alike(own[run], scratch[run], least) for run in shared}
    found = {run: _reused(own[run], scratch[run]) for run in shared if not reasons[run]}
    return found, None if found else not_comparable("; ".join(dict.fromkeys(reasons.values())))


def _not_alike(own: pd.DataFrame, scratch: pd.DataFrame, least: int) -> str:
    """Why a search cannot be measured against another one; empty where it can."""
    if len(own) < least:
        return f"a run of {len(own)} episodes; the claim is about {least}"
    if len(scratch) < len(own):
        return f"the search from scratch has {len(scratch)} episodes, fewer than {len(own)}"
    dense = [curve["dense_ppl"].iloc[0] for curve in (own, scratch)]
    if not np.isclose(*dense, rtol=1e-9, equal_nan=True):
        return "the two searches were rewarded on different windows"
    return "" if np.isfinite(scratch["ppl"]).any() else "the search from scratch found no finite perplexity"


def _reused(own: pd.DataFrame, scratch: pd.DataFrame) -> Reused:
    best = float(scratch["ppl"].min())
    needed, from_scratch = (
        episodes.episodes_to(curve["ppl"].tolist(), first=len(curve), best=best) for curve in (own, scratch)
    )
    return Reused(own, needed, from_scratch)
