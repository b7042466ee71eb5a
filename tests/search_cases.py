"""Search problems with a known landscape, and whole searches on a tiny model, for all algorithms' tests."""

import csv

import numpy as np
import pytest
import torch
from tiny import tiny_folder, tiny_ids, tiny_text

from sparsitysolver.config.assets import Assets
from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.models.loading import load_model
from sparsitysolver.pruning.budget import default_bounds, greedy
from sparsitysolver.pruning.units import Unit
from sparsitysolver.search.algorithms import algorithm
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem, perplexity_objective, text_reward
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.search.solve import solve
from sparsitysolver.statistics.collect import ALL_TAPS, OUTPUT_TAPS, collect

UNITS = [Unit(f"u{i}", "ffn", i, 40, 10) for i in range(8)]
# What a unit's removal costs: the last units matter, and Algorithm 1 serves the first ones first.
COSTS = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 2.0, 2.0, 2.0])


def synthetic_losses(kept, windows):
    removed = 1 - np.array(kept) / 40
    return np.full(len(windows), 2.0 + COSTS @ removed**2)


def problem(
    losses=synthetic_losses, reward="inverse_ppl", sparsity=0.2, units=UNITS, project=greedy, bounds=None, most=10_000
):
    """Units of known cost, scored on 4 windows of 16 tokens."""

    def sized(windows):
        return perplexity_objective(losses, torch.zeros(windows, 16, dtype=torch.long), reward, float(np.exp(2.0)))

    bounds = bounds or default_bounds(sparsity)
    return Problem(units, sparsity, bounds, project, sized(4), sized=sized, most=most)


def journal(folder, name="x", identity="this search", **fields):
    return Journal(folder / f"{name}.curve.csv", folder / f"{name}.checkpoint", identity, **fields)


def found(name, folder, target, episodes, seed=0, **more):
    """A search of a problem by an algorithm: (its journal, what it found besides)."""
    records = journal(folder, name)
    return records, algorithm(name).run(target, records, episodes, seed, **more)


def curve(path):
    """Rows of a curve file without the time."""
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


SETTINGS = SearchSettings(sparsity=0.2, episodes=60, seed=3, reward_windows=2, rescore_windows=4)


def search(folder, name="x", family="llama", start=None, driver=None, **changes):
    """One search on a tiny model, from loading to the strategy."""
    settings = SearchSettings(**{**SETTINGS.__dict__, **changes})
    path = folder / "text.txt"
    path.write_text(tiny_text(100))
    loaded = load_model(str(tiny_folder(family)), device="cpu")
    taps = ALL_TAPS if settings.granularity == "unstructured" else OUTPUT_TAPS
    statistics = collect(loaded.adapter, tiny_ids(), "weights", "ids", taps)
    windows = cut_windows(load_text(str(path), "validation", Assets(None)), loaded.tokenizer, 16, vocabulary=50)
    reward = text_reward(windows, settings.reward)
    out = folder / f"{name}.json"
    return solve(loaded, statistics, {"sha256": "calibration"}, reward, settings, out, print, start, driver)


def interrupt(monkeypatch, episode, call):
    """``call``, in which scoring the candidate of that episode is interrupted."""
    score, calls = Problem.score, iter(range(10_000))

    def interrupted(self, *asked):
        if next(calls) == episode:
            raise KeyboardInterrupt
        return score(self, *asked)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Problem, "score", interrupted)
        call()


def resumed(folder, monkeypatch, episode, **options):
    """The strategy of a search that was interrupted at an episode and started again."""
    interrupt(monkeypatch, episode, lambda: search(folder, **options))
    return search(folder, **options)
