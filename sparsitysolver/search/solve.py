"""One search from model to strategy: problem, algorithm, rescoring of the best candidates, the record."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.pruning.budget import budget_rule
from sparsitysolver.pruning.units import achieved_sparsity, units_of
from sparsitysolver.records import Json, content_key
from sparsitysolver.search.algorithms import ALGORITHMS
from sparsitysolver.search.engines import Engine, build_engine
from sparsitysolver.search.journal import Episode, Journal
from sparsitysolver.search.objectives import ACCURACY, Objective, Reward
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.statistics.collect import Statistics
from sparsitysolver.strategy import make_strategy


def solve(
    loaded: LoadedModel,
    statistics: Statistics,
    calibration: Json,
    reward: Reward,
    settings: SearchSettings,
    out: Path,
    log: Callable[[str], None] = print,
) -> Json:
    """Search a strategy; the curve file and the checkpoint lie beside ``out``. The strategy itself is returned.

    The model is taken over by the episode engine, which changes it in place.
    """
    settings.check()
    engine = build_engine(loaded.adapter, statistics, settings.granularity, settings.chosen_criterion)
    problem = make_problem(loaded, engine, reward, settings)
    identity = content_key(
        [asdict(settings), loaded.weights_sha256, calibration["sha256"], reward.identity(), loaded.dtype], 64
    )
    journal = Journal(out.with_suffix(".curve.csv"), out.with_suffix(".checkpoint"), identity, log=log)
    own = ALGORITHMS[settings.algorithm].run(problem, journal, settings.episodes, settings.seed)
    rescore = make_objective(loaded, engine, reward, settings, settings.rescore_windows, settings.rescore_items)
    candidates = _rescore(problem, journal, own, rescore, settings)
    chosen = max(candidates, key=lambda candidate: candidate["rescored_reward"])
    if chosen["rescored_reward"] <= 0:
        raise SparsitySolverError(
            f"no candidate of the search earns a reward (finite perplexity, or accuracy) at sparsity "
            f"{settings.sparsity}: take a lower --sparsity or another --dtype."
        )
    return make_strategy(
        problem.units,
        chosen["kept"],
        settings.sparsity,
        {
            "name": loaded.source.name,
            "family": loaded.adapter.shape.family,
            "weights_sha256": loaded.weights_sha256,
        },
        _found(problem, journal, candidates, chosen, reward, rescore, settings) | {"calibration": calibration},
        settings.seed,
        {"resumed_at": journal.resumed_at or 0, "search_seconds": round(journal.seconds, 3)},
        settings.granularity,
    )


def make_problem(loaded: LoadedModel, engine: Engine, reward: Reward, settings: SearchSettings) -> Problem:
    """The problem that settings pose on a model."""
    return Problem(
        units=units_of(loaded.adapter.shape, settings.granularity),
        sparsity=settings.sparsity,
        bounds=settings.bounds,
        project=budget_rule(settings.budget),
        objective=make_objective(loaded, engine, reward, settings, settings.reward_windows, settings.reward_items),
        literal=settings.literal,
    )


def make_objective(
    loaded: LoadedModel, engine: Engine, reward: Reward, settings: SearchSettings, windows: int, items: int
) -> Objective:
    """The objective over so many windows, or items where the reward is accuracy (0: all there are)."""
    full = [unit.size for unit in units_of(loaded.adapter.shape, settings.granularity)]
    return reward.objective(loaded, engine, full, items if settings.reward == ACCURACY else windows)


def _rescore(
    problem: Problem, journal: Journal, own: dict[str, list[int]], rescore: Objective, settings: SearchSettings
) -> list[dict[str, Any]]:
    """Candidates for the final choice, each scored on more: the best episodes and the algorithm's own."""
    ranked = sorted(journal.episodes, key=lambda episode: -episode.reward)
    distinct: list[Episode] = []
    for episode in ranked:
        if all(episode.kept != other.kept for other in distinct):
            distinct.append(episode)
        if len(distinct) == settings.rescore_top:
            break
    named = {f"best_{rank}": episode.kept for rank, episode in enumerate(distinct, start=1)} | own
    candidates = []
    for name, kept in named.items():
        (ppl, reward), (again_ppl, again) = problem.score(kept), rescore.score(kept)
        candidates.append(
            {
                "name": name,
                "kept": kept,
                "reward": reward,
                "reward_ppl": _finite(ppl),
                "rescored_reward": again,
                "rescored_ppl": _finite(again_ppl),
                "achieved_sparsity": round(achieved_sparsity(problem.units, kept), 10),
            }
        )
    return candidates


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: a perplexity that is not finite is kept as null."""
    return value if value is not None and np.isfinite(value) else None


def _found(
    problem: Problem,
    journal: Journal,
    candidates: list[dict[str, Any]],
    chosen: dict[str, Any],
    reward: Reward,
    rescore: Objective,
    settings: SearchSettings,
) -> Json:
    """How the strategy was found."""
    objective = problem.objective
    spent = sum(episode.tokens for episode in journal.episodes)
    return {
        **asdict(settings),
        "criterion": settings.chosen_criterion,
        "a_min": problem.bounds.lower,
        "a_max": problem.bounds.upper,
        "agent": ALGORITHMS[settings.algorithm].record(),
        **reward.record(objective),
        "evaluations": len(journal.episodes) + 2 * len(candidates),
        "tokens": spent + len(candidates) * (objective.tokens + rescore.tokens),
        "chosen": chosen["name"],
        "candidates": candidates,
    }
