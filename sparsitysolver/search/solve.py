"""One search from model to strategy: problem, algorithm, rescoring of the best candidates, the record."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.pruning.budget import budget_rule
from sparsitysolver.pruning.effect_table import make_table
from sparsitysolver.pruning.strategy import make_strategy
from sparsitysolver.pruning.units import achieved_sparsity, uniform_kept, units_of
from sparsitysolver.records.files import Json, content_key, write_record
from sparsitysolver.records.seen import CALIBRATION, Seen, seen_of_sample, union
from sparsitysolver.search.agents import Agent, save_agent
from sparsitysolver.search.algorithms import AUTO, algorithm, settings_of
from sparsitysolver.search.engines import Engine, build_engine
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Objective, Problem, Reward, SearchResult
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.statistics.collect import Statistics

if TYPE_CHECKING:
    from sparsitysolver.chat.conversation import Chat

# What effects keep of their search: the text or task that changes are of, and how they were measured.
_MEASURED_ON = ("text", "text_sha256", "bos", "reward", "reward_split", "task", "items", "items_sha256")


def problem_of(loaded: LoadedModel, engine: Engine, reward: Reward, settings: SearchSettings) -> Problem:
    """The problem that settings pose on a model in its engine."""
    units = units_of(loaded.adapter.shape, settings.granularity)
    full = [unit.size for unit in units]

    def sized(count: int) -> Objective:
        return reward.objective(loaded, engine, full, count)

    rule, own = budget_rule(settings.chosen_budget), sized(settings.sizes[0])
    return Problem(units, settings.sparsity, settings.bounds, rule, own, settings.literal, sized, reward.most)


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
    problem, origin = problem_of(loaded, engine, reward, settings), start.record() if start else None
    deciding = [asdict(settings), loaded.model_sha256, calibration["sha256"], reward.identity, loaded.dtype, origin]
    identity = content_key([*deciding, *([driver.identity()] if driver else [])], 64)
    journal = Journal(out.with_suffix(".curve.csv"), out.with_suffix(".checkpoint"), identity, log=log)
    seen = union([seen_of_sample(CALIBRATION, calibration), reward.seen], start.seen if start else [])
    if driver is not None:
        driver.begin(seen)
    more = {name: given for name, given in (("start", start), ("driver", driver)) if given is not None}
    result = algorithm(settings.algorithm).run(problem, journal, settings.episodes, settings.seed, **more)
    if driver is not None:
        seen = union(seen, driver.seen)  # what the chat model's replies have seen stands behind the result too
    proposing = journal.seconds - sum(episode.seconds for episode in journal.episodes)
    found = _found(problem, journal, result, reward, settings) | ({"driver": driver.record()} if driver else {})
    family, weights = loaded.adapter.shape.family, loaded.weights_sha256
    model = {"name": loaded.source.name, "family": family, "weights_sha256": weights}
    _save_learned(out, problem, result, found, model, seen)
    return make_strategy(
        problem.units,
        next(one["kept"] for one in found["candidates"] if one["name"] == found["chosen"]),
        settings.sparsity,
        model,
        found | {"warm_start": origin, "calibration": calibration},
        settings.seed,
        {
            "resumed_at": journal.resumed_at or 0,
            "search_seconds": round(journal.seconds, 3),
            "seconds_per_proposal": round(proposing / max(1, len(journal.episodes)), 6),
        },
        settings.granularity,
        seen=seen,
    )


def _found(problem: Problem, journal: Journal, result: SearchResult, reward: Reward, settings: SearchSettings) -> Json:
    """How the strategy was found: settings, cost, and all candidates for the final choice, scored again on more."""
    objective, rescore = problem.objective, problem.sized(settings.sizes[1])
    candidates = []
    for name, kept in _candidates(journal, result, settings).items():
        (ppl, earned), (again_ppl, again) = problem.score(kept), rescore.score(kept)
        candidates.append(
            {
                "name": name,
                "kept": kept,
                "reward": earned,
                "reward_ppl": _finite(ppl),
                "rescored_reward": again,
                "rescored_ppl": _finite(again_ppl),
                "achieved_sparsity": round(achieved_sparsity(problem.units, kept), 10),
            }
        )
    chosen = _best(candidates, settings.sparsity)
    uniform, uniform_evaluations = _uniform(problem, settings)
    on_reward = len(candidates) + uniform_evaluations
    on_rescore = len(candidates) + rescore.setup_evaluations
    set_up = [one for one in (objective, *problem.others.values()) if one.setup_evaluations]
    return {
        **asdict(settings),
        "criterion": settings.chosen_criterion,
        "budget": settings.chosen_budget,
        "a_min": problem.bounds.lower,
        "a_max": problem.bounds.upper,
        "start": problem.bounds.start,
        **reward.identity,
        **objective.about,
        "uniform": uniform,
        "evaluations": len(journal.episodes) + len(set_up) + on_reward + on_rescore,
        "tokens": journal.tokens
        + sum(one.tokens for one in set_up)
        + on_reward * objective.tokens
        + on_rescore * rescore.tokens,
        "chosen": chosen["name"],
        "candidates": candidates,
        "agent": settings_of(settings.algorithm),
        "notes": result.notes,
    }


def _candidates(journal: Journal, result: SearchResult, settings: SearchSettings) -> dict[str, list[int]]:
    """Kept counts of the best episodes, one more where the algorithm has no candidate of its own, and of its own."""
    wanted = settings.rescore_top + (0 if result.candidates else 1)
    ranked = sorted(journal.episodes, key=lambda episode: episode.rank, reverse=True)
    distinct = {tuple(episode.kept): episode.kept for episode in ranked if episode.feasible}
    best = list(distinct.values())[:wanted]
    return {f"best_{rank}": kept for rank, kept in enumerate(best, start=1)} | result.candidates


def _best(candidates: list[Json], sparsity: float) -> Json:
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


def _uniform(problem: Problem, settings: SearchSettings) -> tuple[Json, int]:
    """Perplexity and reward of uniform pruning, and the evaluations spent; null where it cannot meet the budget."""
    try:
        kept = uniform_kept(problem.units, settings.sparsity, settings.granularity)
    except SparsitySolverError:
        return {"ppl": None, "reward": None}, 0
    ppl, reward = problem.score(kept)
    return {"ppl": _finite(ppl), "reward": reward}, 1


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: a perplexity that is not finite is kept as null."""
    return value if value is not None and np.isfinite(value) else None


def _save_learned(out: Path, problem: Problem, result: SearchResult, found: Json, model: Json, seen: Seen) -> None:
    """What a search learned besides its strategy: an agent, or measured effects; both have seen what it has."""
    about = {name: found[name] for name in ("granularity", "sparsity")}
    if result.parameters is not None:
        names = {"units": [unit.name for unit in problem.units], "model": model["name"], "seen": seen}
        own = {name: found[name] for name in ("algorithm", "episodes")}
        save_agent(out.with_suffix(".agent"), about | names | own, result.parameters)
    if result.effects is not None:
        measured = {name: found[name] for name in _MEASURED_ON if name in found}
        about |= {"model": model, "criterion": found["criterion"], "measured_on": measured}
        (kept,) = result.candidates.values()
        table = make_table(problem.units, kept, result.effects, about) | {"seen": seen}
        write_record(out.with_suffix(".effects.json"), table, "effects")
