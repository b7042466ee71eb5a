"""The journal of a search's episodes: curve file, checkpoint, progress."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import atomic_path
from sparsitysolver.search.objectives import Objective
from sparsitysolver.search.problem import Problem

CURVE_FIELDS = ("episode", "ppl", "reward", "kept", "tokens", "seconds")


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

    def row(self) -> list[Any]:
        """Fields in the order of ``CURVE_FIELDS``; floats in full so that a curve can be resumed from."""
        ppl = "" if self.ppl is None else repr(self.ppl)
        return [self.episode, ppl, repr(self.reward), json.dumps(self.kept), self.tokens, self.seconds]


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
        feasible = problem.feasible(kept)
        return self.add(Episode(len(self.episodes), ppl, reward, kept, objective.tokens, seconds, feasible))

    def add(self, episode: Episode) -> Episode:
        """Note an episode, and show how far the search has come and the best perplexity (or reward) so far."""
        self.episodes.append(episode)
        if self._bar is not None:
            best = self.best
            if best is not None:
                shown = {"best_reward": best.reward} if best.ppl is None else {"best_ppl": best.ppl}
                self._bar.set_postfix({name: f"{value:.4g}" for name, value in shown.items()}, refresh=False)
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
    def best(self) -> Episode | None:
        """The episode of the highest :attr:`Episode.rank`, the first among equals; None before the first feasible."""
        for episode in self.episodes[self._ranked :]:
            if episode.feasible and (self._best is None or episode.rank > self._best.rank):
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
        self.restart()
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
            "episodes": [list(vars(episode).values()) for episode in self.episodes],
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

    def restart(self) -> None:
        """Write the curve file anew, of the episodes as they are."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(CURVE_FIELDS)
        writer.writerows(episode.row() for episode in self.episodes)
        with atomic_path(self.curve) as temporary:
            temporary.write_text(text.getvalue(), newline="")
        self._written = len(self.episodes)


def read_curve(path: Path) -> list[Episode]:
    """The episodes of a curve file.

    Raises:
        SparsitySolverError: no such file, or not a curve.
    """
    try:
        with path.open(newline="") as handle:
            return [
                Episode(
                    int(row["episode"]),
                    float(row["ppl"]) if row["ppl"] else None,
                    float(row["reward"]),
                    json.loads(row["kept"]),
                    int(row["tokens"]),
                    float(row["seconds"]),
                )
                for row in csv.DictReader(handle)
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise SparsitySolverError(f"{path} is not the curve of a search: {error}.") from error
