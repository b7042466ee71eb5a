"""``bench episode``: what an episode of a real search costs, against the forward passes it consists of."""

import argparse
import copy
import functools
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch

from baselines import slicing, wanda_static
from sparsitysolver.config.registry import SEARCHING, method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import Adapter, adapt
from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.units import UNSTRUCTURED
from sparsitysolver.search.engines import Engine, RankEngine, build_engine
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.settings import ACCURACY, SearchSettings
from sparsitysolver.search.solve import problem_of
from sparsitysolver.stages.common import calibrated, no_ids, open_model, statistics_of
from sparsitysolver.stages.reward import reward_of
from sparsitysolver.statistics.collect import Statistics
from sparsitysolver.timing import timed

if TYPE_CHECKING:
    from sparsitysolver.search.algorithms import ppo

DEFAULT_SPARSITIES = {UNSTRUCTURED: 0.5}
Times = dict[str, list[float]]  # seconds of each episode


def run(args: argparse.Namespace) -> None:
    """Time episodes of a PPO search against plain forward passes, interleaved in one run.

    An episode is: action to counts, applying them, scoring the reward windows, and its share of the agent's sampling
    and update (timed on whole updates, less their evaluations). The same candidate pruned physically (untimed), and
    the dense model, are scored on the same windows beside it, in changing order. Ratios are medians over episodes.
    """
    from sparsitysolver.search.algorithms import ppo  # the agents' library takes seconds to import

    if args.rounds < 1:
        raise SparsitySolverError(f"{args.rounds} rounds asked for; at least 1 is needed.")
    if args.reward == ACCURACY:
        raise SparsitySolverError("reward 'accuracy' is not timed here: an episode is compared on windows of text.")
    options = vars(args) | {"sparsity": args.sparsity or DEFAULT_SPARSITIES.get(args.granularity, 0.2)}
    settings = replace(SearchSettings.from_options(options), episodes=15)
    loaded, row = open_model(args), method(SEARCHING, settings.granularity)
    statistics = statistics_of(loaded, calibrated(args, row, loaded), args.stats, settings.granularity)
    dense = adapt(copy.deepcopy(loaded.model))
    materialise = functools.partial(_pruned, dense, statistics, settings)
    engine = build_engine(loaded.adapter, statistics, settings.granularity, settings.chosen_criterion)
    problem = problem_of(loaded, engine, reward_of(args, settings, loaded), settings)
    times: Times = {"episode": [], "pruned": [], "dense": []}
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "curve.csv", Path(folder) / "checkpoint", "bench")
        search = ppo.Search(problem, journal, args.seed)
        search.update()  # the first update pays for warm caches
        for _ in range(args.rounds):
            _one_round(search, dense, materialise, times)
    result = _result(times, problem.objective.windows, engine)
    print(json.dumps(result) if args.json else "\n".join(f"{name}: {value:.4g}" for name, value in result.items()))


def _one_round(search: "ppo.Search", dense: Adapter, materialise: Callable[[list[int]], Adapter], times: Times) -> None:
    problem, done = search.problem, len(search.journal.episodes)
    windows, lead = problem.objective.windows, problem.objective.lead
    whole = timed(search.update)[1]
    episodes = search.journal.episodes[done:]
    agent_share = (whole - sum(episode.seconds for episode in episodes)) / len(episodes)
    for number, episode in enumerate(episodes):
        pruned = materialise(episode.kept)
        work = [
            ("episode", agent_share, lambda kept=episode.kept: problem.score(kept)),
            ("pruned", 0.0, lambda model=pruned: window_losses(model, windows, lead=lead)),
            ("dense", 0.0, lambda: window_losses(dense, windows, lead=lead)),
        ]
        for index in range(len(work)):
            name, extra, call = work[(number + index) % len(work)]
            times[name].append(extra + timed(call)[1])


def _pruned(dense: Adapter, statistics: Statistics, settings: SearchSettings, kept: list[int]) -> Adapter:
    """A copy of the dense model that is pruned for good: sliced, or with zeros among the weights."""
    job = Job(
        adapt(copy.deepcopy(dense.model)),
        settings.sparsity,
        calibrate=lambda: statistics,
        ids=no_ids,
        reconstruction_ids=no_ids,
        granularity=settings.granularity,
        criterion=settings.chosen_criterion,
    )
    pruner = wanda_static if settings.granularity == UNSTRUCTURED else slicing
    pruner.prune(job, kept)
    return job.adapter


def _result(times: Times, windows: torch.Tensor, engine: Engine) -> dict[str, float]:
    ratios = {name: [e / other for e, other in zip(times["episode"], times[name])] for name in ("pruned", "dense")}
    result = {f"ratio_to_{name}_forward": median(values) for name, values in ratios.items()}
    for name, label in (("episode", "episode"), ("pruned", "pruned_forward"), ("dense", "dense_forward")):
        result[f"{label}_ms"] = 1000 * median(times[name])
    result |= {"windows": windows.shape[0], "seqlen": windows.shape[1], "episodes": len(times["episode"])}
    if isinstance(engine, RankEngine):
        weights = engine.adapter.shape.prunable_weights
        result |= {"rank_bytes": engine.rank_bytes, "rank_bytes_per_weight": engine.rank_bytes / weights}
    return result
