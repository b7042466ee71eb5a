"""``bench episode``: what an episode of a real search costs, against the forward passes it consists of."""

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import Adapter, adapt
from sparsitysolver.pruning.selection import Selection, score_units
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn
from sparsitysolver.registry import method
from sparsitysolver.search import ppo
from sparsitysolver.search.engine import PrefixEngine
from sparsitysolver.search.problem import Journal
from sparsitysolver.search.solve import make_problem, settings_from
from sparsitysolver.stages.common import assets_of, calibration_of, draw, home_text, open_model, statistics_of


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
    if args.rounds < 1:
        raise SparsitySolverError(f"{args.rounds} rounds asked for; at least 1 is needed.")
    settings = replace(settings_from(vars(args)), episodes=15)
    loaded = open_model(args)
    assets, row = assets_of(args), method("sparsitysolver")
    sample = draw(calibration_of(args, row, loaded), loaded, assets)
    selection = score_units(loaded.adapter, statistics_of(loaded, sample, args.stats), args.criterion)
    text = load_text(args.text or home_text(loaded.source), settings.reward_split, assets)
    windows = cut_windows(text, loaded.tokenizer, loaded.seqlen(args.seqlen))
    dense = adapt(copy.deepcopy(loaded.model))
    problem = make_problem(loaded, PrefixEngine(loaded.adapter, selection), windows, settings)
    times = _Times()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "curve.csv", Path(folder) / "checkpoint", "bench")
        search = ppo.Search(problem, journal, args.seed)
        search.update()  # the first update pays for warm caches
        for _ in range(args.rounds):
            _one_round(search, dense, selection, times)
    _print(args, times, problem.windows)


def _one_round(search: ppo.Search, dense: Adapter, selection: Selection, times: _Times) -> None:
    problem, done = search.problem, len(search.journal.episodes)
    whole = _seconds(search.update)
    episodes = search.journal.episodes[done:]
    agent_share = (whole - sum(episode.seconds for episode in episodes)) / len(episodes)
    for number, episode in enumerate(episodes):
        pruned = _materialise(dense, selection, episode.kept)
        work = [
            (times.episode, agent_share, lambda kept=episode.kept: problem.score(kept)),
            (times.pruned, 0.0, lambda model=pruned: window_losses(model, problem.windows)),
            (times.dense, 0.0, lambda: window_losses(dense, problem.windows)),
        ]
        for index in range(len(work)):
            into, extra, call = work[(number + index) % len(work)]
            into.append(extra + _seconds(call))


def _materialise(dense: Adapter, selection: Selection, kept: list[int]) -> Adapter:
    """A physically pruned copy of the dense model."""
    adapter = adapt(copy.deepcopy(dense.model))
    for layer in range(adapter.shape.layers):
        slice_attention(adapter, layer, selection.kept(2 * layer, kept[2 * layer]))
        slice_ffn(adapter, layer, selection.kept(2 * layer + 1, kept[2 * layer + 1]))
    return adapter


def _seconds(work: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _print(args: argparse.Namespace, times: _Times, windows: torch.Tensor) -> None:
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
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name}: {value:.4g}" for name, value in result.items()))
