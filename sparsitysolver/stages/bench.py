"""``bench episode``: what an episode of a real search costs, against the forward passes it consists of."""

import argparse
import copy
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
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


@dataclass
class _Times:
    """Seconds of one episode, one entry an episode."""

    episode: list[float] = field(default_factory=list)
    pruned: list[float] = field(default_factory=list)
    dense: list[float] = field(default_factory=list)


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
    materialise = _materialiser(dense, statistics, settings)
    engine = build_engine(loaded.adapter, statistics, settings.granularity, settings.chosen_criterion)
    problem = problem_of(loaded, engine, reward_of(args, settings, loaded), settings)
    times = _Times()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "curve.csv", Path(folder) / "checkpoint", "bench")
        search = ppo.Search(problem, journal, args.seed)
        search.update()  # the first update pays for warm caches
        for _ in range(args.rounds):
            _one_round(search, dense, materialise, times)
    _print(args, times, problem.objective.windows, engine)


def _one_round(
    search: "ppo.Search", dense: Adapter, materialise: Callable[[list[int]], Adapter], times: _Times
) -> None:
    problem, done = search.problem, len(search.journal.episodes)
    windows = problem.objective.windows
    whole = timed(search.update)[1]
    episodes = search.journal.episodes[done:]
    agent_share = (whole - sum(episode.seconds for episode in episodes)) / len(episodes)
    for number, episode in enumerate(episodes):
        pruned = materialise(episode.kept)
        work = [
            (times.episode, agent_share, lambda kept=episode.kept: problem.score(kept)),
            (times.pruned, 0.0, lambda model=pruned: window_losses(model, windows)),
            (times.dense, 0.0, lambda: window_losses(dense, windows)),
        ]
        for index in range(len(work)):
            into, extra, call = work[(number + index) % len(work)]
            into.append(extra + timed(call)[1])


def _materialiser(dense: Adapter, statistics: Statistics, settings: SearchSettings) -> Callable[[list[int]], Adapter]:
    """Makes copies of the dense model that are pruned for good: sliced, or with zeros among the weights."""
    pruner = wanda_static if settings.granularity == UNSTRUCTURED else slicing

    def materialise(kept: list[int]) -> Adapter:
        job = Job(
            adapt(copy.deepcopy(dense.model)),
            settings.sparsity,
            calibrate=lambda: statistics,
            ids=no_ids,
            reconstruction_ids=no_ids,
            granularity=settings.granularity,
            criterion=settings.chosen_criterion,
        )
        pruner.prune(job, kept)
        return job.adapter

    return materialise


def _print(args: argparse.Namespace, times: _Times, windows: torch.Tensor, engine: Engine) -> None:
    result = {
        "ratio_to_pruned_forward": statistics.median(e / p for e, p in zip(times.episode, times.pruned)),
        "ratio_to_dense_forward": statistics.median(e / d for e, d in zip(times.episode, times.dense)),
        "episode_ms": 1000 * statistics.median(times.episode),
        "pruned_forward_ms": 1000 * statistics.median(times.pruned),
        "dense_forward_ms": 1000 * statistics.median(times.dense),
        "windows": int(windows.shape[0]),
        "seqlen": int(windows.shape[1]),
        "episodes": len(times.episode),
    }
    if isinstance(engine, RankEngine):
        weights = engine.adapter.shape.prunable_weights
        result |= {"rank_bytes": engine.rank_bytes, "rank_bytes_per_weight": engine.rank_bytes / weights}
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name}: {value:.4g}" for name, value in result.items()))
