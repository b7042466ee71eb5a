"""What a search is asked to solve, and the journal of its episodes: curve file, checkpoint, progress."""

import csv
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.evaluation.perplexity import perplexity
from sparsitysolver.pruning.budget import Bounds, Projection, ratios
from sparsitysolver.pruning.units import Unit
from sparsitysolver.records import atomic_path

CURVE_FIELDS = ("episode", "ppl", "reward", "kept", "tokens", "seconds")
REWARD_SCALE = 10.0  # the paper's coefficient (section 3.1, reward function)


def inverse_ppl(ppl: float, dense_ppl: float) -> float:
    """10 / ppl (the paper's reward)."""
    return REWARD_SCALE / ppl


def dense_ratio(ppl: float, dense_ppl: float) -> float:
    """Dense perplexity over pruned perplexity: the same in scale for every model."""
    return dense_ppl / ppl


REWARDS: dict[str, Callable[[float, float], float]] = {"inverse_ppl": inverse_ppl, "dense_ratio": dense_ratio}


def reward_rule(name: str) -> Callable[[float, float], float]:
    """A reward by name, or an error with near names."""
    if name not in REWARDS:
        raise unknown_name("reward", name, REWARDS)
    return REWARDS[name]


@dataclass
class Problem:
    """Units, budget and a way to score candidates.

    ``losses`` gives the window losses of a candidate on given windows; ``windows`` are the fixed reward windows.
    """

    units: Sequence[Unit]
    sparsity: float
    bounds: Bounds
    project: Projection
    reward: Callable[[float, float], float]
    losses: Callable[[Sequence[int], torch.Tensor], np.ndarray]
    windows: torch.Tensor
    dense_ppl: float
    literal: bool = False

    def constrain(self, action: np.ndarray) -> list[int]:
        """Raw action (units,) to kept counts within the budget (Algorithm 1)."""
        wanted = ratios(np.asarray(action, dtype=float), self.bounds, self.literal)
        return self.project(wanted, self.units, self.sparsity, self.bounds)

    def score(self, kept: Sequence[int]) -> tuple[float, float]:
        """(perplexity, reward) of a candidate on the reward windows; non-finite perplexity earns 0."""
        ppl = perplexity(self.losses(kept, self.windows))
        return ppl, self.reward(ppl, self.dense_ppl) if np.isfinite(ppl) else 0.0


@dataclass
class Episode:
    """One evaluated candidate: a row of the curve file."""

    episode: int
    ppl: float
    reward: float
    kept: list[int]
    tokens: int
    seconds: float

    def row(self) -> list[Any]:
        """Fields in the order of ``CURVE_FIELDS``; floats in full so that a curve can be resumed from."""
        return [self.episode, repr(self.ppl), repr(self.reward), json.dumps(self.kept), self.tokens, self.seconds]


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
    _written: int = 0
    _ranked: int = 0
    _best: Episode | None = None
    _started: float = field(default_factory=time.perf_counter)
    _earlier: float = 0.0

    def record(self, problem: Problem, kept: list[int]) -> Episode:
        """Score a candidate and note it."""
        start = time.perf_counter()
        ppl, reward = problem.score(kept)
        if not np.isfinite(ppl):
            self.log(f"episode {len(self.episodes)}: perplexity {ppl}, reward 0")
        seconds = round(time.perf_counter() - start, 6)
        episode = Episode(len(self.episodes), ppl, reward, kept, problem.windows.numel(), seconds)
        self.episodes.append(episode)
        return episode

    @property
    def best(self) -> Episode:
        """The episode of the highest reward, the first among equals."""
        for episode in self.episodes[self._ranked :]:
            if self._best is None or episode.reward > self._best.reward:
                self._best = episode
        self._ranked = len(self.episodes)
        return self._best

    @property
    def seconds(self) -> float:
        """Wall time of the search, interrupted parts included."""
        return self._earlier + time.perf_counter() - self._started

    def resume(self) -> dict[str, Any] | None:
        """The state saved last by this very search, or None; the curve file is set back to that point."""
        state, saved = None, self._checkpoint()
        if saved is not None and saved["identity"] == self.identity:
            self.episodes = [Episode(*row) for row in saved["episodes"]]
            self.resumed_at, self._earlier = len(self.episodes), saved["seconds"]
            state = saved["state"]
        self._rewrite_curve()
        return state

    def _checkpoint(self) -> dict[str, Any] | None:
        """The checkpoint's content; one that cannot be read is as good as none."""
        if not self.checkpoint.is_file():
            return None
        try:
            return torch.load(self.checkpoint, weights_only=True)
        except Exception as error:  # the unpickler raises whatever the broken bytes lead it to
            self.log(f"checkpoint {self.checkpoint} cannot be read ({type(error).__name__}): the search starts anew")
            return None

    def save(self, state: dict[str, Any]) -> None:
        """Append the new episodes to the curve, then write the checkpoint whole."""
        self.save_curve()
        content = {
            "identity": self.identity,
            "episodes": [[e.episode, e.ppl, e.reward, e.kept, e.tokens, e.seconds] for e in self.episodes],
            "seconds": self.seconds,
            "state": state,
        }
        with atomic_path(self.checkpoint) as temporary:
            torch.save(content, temporary)

    def save_curve(self) -> None:
        """Append the episodes since the last call to the curve file."""
        try:
            with self.curve.open("a", newline="") as handle:
                csv.writer(handle).writerows(episode.row() for episode in self.episodes[self._written :])
        except OSError as error:
            raise SparsitySolverError(f"cannot write {self.curve}: {error.strerror or error}.") from error
        self._written = len(self.episodes)

    def _rewrite_curve(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(CURVE_FIELDS)
        writer.writerows(episode.row() for episode in self.episodes)
        with atomic_path(self.curve) as temporary:
            temporary.write_text(text.getvalue(), newline="")
        self._written = len(self.episodes)


def progress_bar(total: int) -> tqdm:
    """A bar over episodes with the time left."""
    return tqdm(total=total, desc="search", unit="ep", mininterval=1.0)


def catch_up(bar: tqdm, journal: Journal) -> None:
    """Set a bar to where a resumed journal stands, without counting those episodes into its speed."""
    bar.initial = bar.n = len(journal.episodes)
    bar.refresh()


def advance(bar: tqdm, journal: Journal) -> None:
    """One more episode; the bar shows the best perplexity so far."""
    bar.update()
    bar.set_postfix(best_ppl=f"{journal.best.ppl:.4g}", refresh=False)


def check_episodes(episodes: int) -> int:
    """A positive number of episodes, or an error."""
    if episodes < 1:
        raise SparsitySolverError(f"{episodes} episodes asked for; a search needs at least 1.")
    return episodes
