"""The journal of a search's episodes: curve file, checkpoint, progress."""

import csv
import io
import json
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import Unit, budget, kept_weights
from sparsitysolver.records.files import atomic_path, write_text
from sparsitysolver.search.problem import Objective, Problem

# Columns of the curve file, and how each is read.
CURVE: dict[str, Callable[[str], Any]] = {
    "episode": int,
    "ppl": lambda text: float(text) if text else None,
    "reward": float,
    "kept": json.loads,
    "tokens": int,
    "seconds": float,
}


@dataclass
class Episode:
    """One evaluated candidate: a row of the curve file; ``ppl`` is None where the reward is no perplexity's.

    A candidate that is not ``feasible``, because it keeps more than the budget, was scored to learn from it only.
    """

    episode: int
    ppl: float | None
    reward: float
    kept: list[int]
    tokens: int
    seconds: float
    feasible: bool = True

    @property
    def rank(self) -> tuple[bool, int, float]:
        """What the best episode has most of: it meets the budget, was scored on the most tokens, and earned most."""
        return self.feasible, self.tokens, self.reward


@dataclass
class Journal:
    """Episodes so far, mirrored to ``curve`` at every update, with a checkpoint beside it.

    The checkpoint holds everything that the next update depends on, so that a killed search goes on where it stopped
    and ends with the identical strategy. ``identity`` names the search; a checkpoint of another search is ignored.
    """

    curve: Path
    checkpoint: Path
    identity: str
    episodes: list[Episode] = field(default_factory=list)
    resumed_at: int | None = None
    log: Callable[[str], None] = lambda text: None
    best: Episode | None = None  # of the highest rank, the first among equals; None before the first feasible
    _started: float = field(default_factory=time.perf_counter)
    _bar: tqdm | None = None
    _unit: int = 1

    def record(self, problem: Problem, kept: list[int], objective: Objective | None = None) -> Episode:
        """Score a candidate by the problem's objective, or another one, and note it."""
        start = time.perf_counter()
        objective = objective or problem.objective
        ppl, reward = problem.score(kept, objective)
        if ppl is not None and not np.isfinite(ppl):
            self.log(f"episode {len(self.episodes)}: perplexity {ppl}, reward 0")
        seconds = round(time.perf_counter() - start, 6)
        return self.add(
            Episode(len(self.episodes), ppl, reward, kept, objective.tokens, seconds, problem.feasible(kept))
        )

    def add(self, episode: Episode) -> Episode:
        """Note an episode, and show how far the search has come and the best perplexity (or reward) so far."""
        self.episodes.append(episode)
        if episode.feasible and (self.best is None or episode.rank > self.best.rank):
            self.best = episode
        if self._bar is not None:
            if (best := self.best) is not None:
                name, value = ("best_reward", best.reward) if best.ppl is None else ("best_ppl", best.ppl)
                self._bar.set_postfix({name: f"{value:.4g}"}, refresh=False)
            self._bar.n = self.tokens // self._unit
            self._bar.update(0)
        return episode

    @contextmanager
    def progress(self, episodes: int, unit: int) -> Iterator[None]:
        """Show a bar over ``episodes`` evaluations of ``unit`` tokens; those known already do not count as speed."""
        done, self._unit = self.tokens // unit, unit
        with tqdm(total=episodes, initial=done, desc="search", unit="ep", mininterval=1.0) as self._bar:
            yield

    @property
    def tokens(self) -> int:
        """Tokens that the episodes evaluated."""
        return sum(episode.tokens for episode in self.episodes)

    @property
    def seconds(self) -> float:
        """Wall time of the search, interrupted parts included."""
        return time.perf_counter() - self._started

    def resume(self) -> dict[str, Any] | None:
        """The state saved last by this very search, or None; the curve file is set back to that point.

        A checkpoint that cannot be read is as good as none.
        """
        saved: dict[str, Any] = {"identity": None}
        if self.checkpoint.is_file():
            try:
                saved = torch.load(self.checkpoint, weights_only=True)
            except Exception as error:  # the unpickler raises whatever the broken bytes lead it to
                why = type(error).__name__
                self.log(f"checkpoint {self.checkpoint} cannot be read ({why}): the search starts anew")
        known = saved["identity"] == self.identity
        if known:
            for row in saved["episodes"]:
                self.add(Episode(*row))
            self.resumed_at = len(self.episodes)
            self._started -= saved["seconds"]
        self.save_curve()
        return saved["state"] if known else None

    def save(self, state: dict[str, Any]) -> None:
        """Write the curve, then the checkpoint."""
        self.save_curve()
        content = {
            "identity": self.identity,
            "episodes": [list(vars(episode).values()) for episode in self.episodes],
            "seconds": self.seconds,
            "state": state,
        }
        with atomic_path(self.checkpoint) as temporary:
            torch.save(content, temporary)

    def save_curve(self) -> None:
        """Write the curve file of the episodes as they are; floats in full so that a curve can be resumed from."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows([CURVE, *([getattr(one, name) for name in CURVE] for one in self.episodes)])
        write_text(self.curve, text.getvalue())


def read_curve(path: Path) -> list[Episode]:
    """The episodes of a curve file; an error where there is none, or another file."""
    try:
        with path.open(newline="") as handle:
            return [Episode(*(read(row[name]) for name, read in CURVE.items())) for row in csv.DictReader(handle)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise SparsitySolverError(f"{path} is not the curve of a search: {error}.") from error


def anytime(
    curve: Sequence[Episode], units: Sequence[Unit], sparsity: float, marks: Sequence[float]
) -> list[list[int] | None]:
    """The best candidate so far at each mark, a number of tokens spent; None before the first that meets the budget.

    Best is what was scored on most tokens, and among those what earned most: the order that a search chooses by.
    Candidates above the weight budget were scored to learn from them and are no candidates.
    """
    room, spent, held = budget(units, sparsity), [0], [None]
    for row in curve:
        spent.append(spent[-1] + row.tokens)
        better = kept_weights(units, row.kept) <= room and (held[-1] is None or row.rank > held[-1].rank)
        held.append(row if better else held[-1])
    found = [held[bisect_right(spent, mark) - 1] for mark in marks]
    return [best.kept if best else None for best in found]
