"""One search from model to strategy: problem, algorithm, rescoring of the best candidates, the record."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsitysolver.effect_table import make_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.pruning.budget import budget_rule
from sparsitysolver.pruning.units import Unit, achieved_sparsity, uniform_kept, units_of
from sparsitysolver.records.files import Json, content_key, write_record
from sparsitysolver.records.seen import CALIBRATION, Seen, seen_of_sample, union
from sparsitysolver.records.strategy import make_strategy
from sparsitysolver.search.agents import Agent, save_agent
from sparsitysolver.search.algorithms import AUTO, algorithm, settings_of
from sparsitysolver.search.engines import Engine, build_engine
from sparsitysolver.search.journal import Episode, Journal
from sparsitysolver.search.objectives import Objective, Reward
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.result import SearchResult
from sparsitysolver.search.rewards import ACCURACY
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.statistics.collect import Statistics

if TYPE_CHECKING:
    from sparsitysolver.chat.conversation import Chat

# What effects keep of their search: the text or task that changes are of, and how they were measured.
_MEASURED_ON = ("text", "text_sha256", "reward", "reward_split", "task", "items", "items_sha256")


def solve(
    loaded: LoadedModel,
    statistics: Statistics,
    calibration: Json,
    reward: Reward,
    settings: SearchSettings,
    out: Path,
    log: Callable[[str], None] = print,
    start: Agent | None = None,
    driver: "Chat | None" = None,
) -> Json:
    """Search a strategy and return it; curve file, checkpoint and the agent lie beside ``out``.

    The model is taken over by the episode engine, which changes it in place. ``start`` is an agent to start from,
    ``driver`` who answers the prompts of an algorithm that asks a chat model.
    """
    units = units_of(loaded.adapter.shape, settings.check().granularity)
    if settings.algorithm == AUTO:
        settings = settings.resolved(len(units))
        log(f"auto: {settings.algorithm}, best in the arena at {settings.episodes} evaluations of {len(units)} units")
    if start is not None:
        start.check_kind(settings.algorithm, settings.granularity)
        start.check_units(units)
    engine = build_engine(loaded.adapter, statistics, settings.granularity, settings.chosen_criterion)
    problem = make_problem(loaded, engine, reward, settings)
    origin = start.record() if start else None
    deciding = [asdict(settings), loaded.model_sha256, calibration["sha256"], reward.identity(), loaded.dtype, origin]
    identity = content_key([*deciding, *([driver.identity()] if driver else [])], 64)
    module, seen = algorithm(settings.algorithm), _seen(calibration, reward, start)
    journal = Journal(out.with_suffix(".curve.csv"), out.with_suffix(".checkpoint"), identity, log=log)
    extra = {name: given for name, given in (("start", start), ("driver", driver)) if given is not None}
    if driver is not None:
        driver.begin(seen)
    searched = module.run(problem, journal, settings.episodes, settings.seed, **extra)
    if driver is not None:
        seen = union(seen, driver.seen)
    spent = journal.seconds - sum(episode.seconds for episode in journal.episodes)
    rescore = make_objective(loaded, engine, reward, settings, settings.rescore_windows, settings.rescore_items)
    candidates = _rescore(problem, journal, searched, rescore, settings)
    chosen = _best(candidates, settings.sparsity)
    found = _found(problem, journal, candidates, chosen, reward, rescore, settings)
    found |= {"agent": settings_of(settings.algorithm), "notes": searched.notes} | (
        {"driver": driver.record()} if driver else {}
    )
    _save_learned(out, loaded, problem, searched, settings, found, seen)
    return make_strategy(
        problem.units,
        chosen["kept"],
        settings.sparsity,
        about_model(loaded),
        found | {"warm_start": origin, "calibration": calibration},
        settings.seed,
        {
            "resumed_at": journal.resumed_at or 0,
            "search_seconds": round(journal.seconds, 3),
            "seconds_per_proposal": round(spent / max(1, len(journal.episodes)), 6),
        },
        settings.granularity,
        seen=seen,
    )


def _seen(calibration: Json, reward: Reward, start: Agent | None) -> Seen:
    """What a search sees: windows that rank items, what it is rewarded on, and all that its agent has seen before."""
    return union([seen_of_sample(CALIBRATION, calibration), reward.seen()], start.seen if start else [])


def _best(candidates: list[dict[str, Any]], sparsity: float) -> dict[str, Any]:
    """The candidate of the highest reward when scored again; an error where there is none, or none earns one."""
    if not candidates:
        raise SparsitySolverError("the search evaluated no candidate within its budget: give it more --episodes.")
    chosen = max(candidates, key=lambda candidate: candidate["rescored_reward"])
    if chosen["rescored_reward"] <= 0:
        raise SparsitySolverError(
            f"no candidate of the search earns a reward (finite perplexity, or accuracy) at sparsity {sparsity}: take "
            "a lower --sparsity or another --dtype."
        )
    return chosen


def _save_learned(
    out: Path,
    loaded: LoadedModel,
    problem: Problem,
    searched: SearchResult,
    settings: SearchSettings,
    found: Json,
    seen: Seen,
) -> None:
    """What a search learned besides its strategy: an agent, or measured effects; both have seen what it has."""
    if searched.parameters is not None:
        about = _about(loaded, problem.units, settings) | {"seen": seen}
        save_agent(out.with_suffix(".agent"), about, searched.parameters)
    if searched.effects is not None:
        table = _table(loaded, problem, searched, settings, found) | {"seen": seen}
        write_record(out.with_suffix(".effects.json"), table, "effects")


def _table(
    loaded: LoadedModel, problem: Problem, searched: SearchResult, settings: SearchSettings, found: Json
) -> Json:
    """A surrogate's measured table, and what it was measured on."""
    about = {
        "model": about_model(loaded),
        "granularity": settings.granularity,
        "sparsity": settings.sparsity,
        "criterion": settings.chosen_criterion,
        "measured_on": {name: found[name] for name in _MEASURED_ON if name in found},
    }
    (kept,) = searched.candidates.values()
    return make_table(problem.units, kept, searched.effects, about)


def about_model(loaded: LoadedModel) -> Json:
    """What a strategy says of its model."""
    return {
        "name": loaded.source.name,
        "family": loaded.adapter.shape.family,
        "weights_sha256": loaded.weights_sha256,
    }


def _about(loaded: LoadedModel, units: Sequence[Unit], settings: SearchSettings) -> Json:
    """What an agent's file says of its origin."""
    return {
        "algorithm": settings.algorithm,
        "granularity": settings.granularity,
        "units": [unit.name for unit in units],
        "model": loaded.source.name,
        "sparsity": settings.sparsity,
        "episodes": settings.episodes,
    }


def make_problem(loaded: LoadedModel, engine: Engine, reward: Reward, settings: SearchSettings) -> Problem:
    """The problem that settings pose on a model."""
    return Problem(
        units=units_of(loaded.adapter.shape, settings.granularity),
        sparsity=settings.sparsity,
        bounds=settings.bounds,
        project=budget_rule(settings.chosen_budget),
        objective=make_objective(loaded, engine, reward, settings, settings.reward_windows, settings.reward_items),
        literal=settings.literal,
        sized=lambda size: make_objective(loaded, engine, reward, settings, size, size),
        most=reward.most,
    )


def make_objective(
    loaded: LoadedModel, engine: Engine, reward: Reward, settings: SearchSettings, windows: int, items: int
) -> Objective:
    """The objective over so many windows, or items where the reward is accuracy (0: all there are)."""
    full = [unit.size for unit in units_of(loaded.adapter.shape, settings.granularity)]
    return reward.objective(loaded, engine, full, items if settings.reward == ACCURACY else windows)


def _rescore(
    problem: Problem, journal: Journal, searched: SearchResult, rescore: Objective, settings: SearchSettings
) -> list[dict[str, Any]]:
    """Candidates for the final choice, each scored on more: the best episodes and the algorithm's own."""
    feasible = [episode for episode in journal.episodes if episode.feasible]
    distinct: list[Episode] = []
    wanted = settings.rescore_top + (0 if searched.candidates else 1)
    for episode in sorted(feasible, key=lambda episode: episode.rank, reverse=True):
        if all(episode.kept != other.kept for other in distinct):
            distinct.append(episode)
        if len(distinct) == wanted:
            break
    named = {f"best_{rank}": episode.kept for rank, episode in enumerate(distinct, start=1)} | searched.candidates
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
    uniform, uniform_evaluations = _uniform(problem, settings)
    on_reward = len(candidates) + uniform_evaluations
    on_rescore = len(candidates) + rescore.setup_evaluations
    searching = journal.tokens + problem.setup_tokens
    return {
        **asdict(settings),
        "criterion": settings.chosen_criterion,
        "budget": settings.chosen_budget,
        "a_min": problem.bounds.lower,
        "a_max": problem.bounds.upper,
        "start": problem.bounds.start,
        **reward.record(objective),
        "uniform": uniform,
        "evaluations": len(journal.episodes) + problem.setup_evaluations + on_reward + on_rescore,
        "tokens": searching + on_reward * objective.tokens + on_rescore * rescore.tokens,
        "chosen": chosen["name"],
        "candidates": candidates,
    }


def _uniform(problem: Problem, settings: SearchSettings) -> tuple[Json, int]:
    """Perplexity and reward of uniform pruning, and the evaluations spent; null where it cannot meet the budget."""
    try:
        kept = uniform_kept(problem.units, settings.sparsity, settings.granularity)
    except SparsitySolverError:
        return {"ppl": None, "reward": None}, 0
    ppl, reward = problem.score(kept)
    return {"ppl": _finite(ppl), "reward": reward}, 1
