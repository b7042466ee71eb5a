"""A budget of evaluated tokens, spent candidate by candidate: the loop under every search that learns no networks."""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparsitysolver.search.journal import Episode, Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.result import SearchResult

TRIALS_PER_CHECKPOINT = 15


class BudgetSpent(Exception):
    """Nothing more can be evaluated: the end of a search."""


@dataclass
class Trials:
    """Scores candidates until the tokens of ``episodes`` evaluations of the problem's objective are spent.

    Evaluations may differ in size, so they are counted in tokens. A search needs to save nothing of its own: after an
    interruption it proposes its candidates again, and those that the journal knows are answered from there. It must
    only be deterministic in its seed and in what it is answered.
    """

    problem: Problem
    journal: Journal
    episodes: int
    _known: list[Episode] = field(default_factory=list)
    _saved: int = 0

    def __post_init__(self) -> None:
        self.journal.resume()
        self._known, self.journal.episodes = self.journal.episodes, []
        self._saved = len(self._known)

    @property
    def budget(self) -> int:
        """Tokens that may be evaluated."""
        return self.episodes * self.problem.objective.tokens

    @property
    def left(self) -> int:
        """Tokens that are left."""
        return self.budget - self.journal.tokens

    @property
    def unit(self) -> int:
        """Tokens of one window or item."""
        return self.problem.objective.tokens // self.problem.objective.size

    def score(self, kept: Sequence[int], size: int | None = None) -> Episode:
        """Score a candidate on ``size`` windows or items (None: the search's own number), and note it.

        Raises:
            BudgetSpent: the budget does not hold so many tokens any more; nothing was evaluated.
        """
        objective = self.problem.over(size)
        if objective.tokens > self.left:
            raise BudgetSpent
        episode = self._recall(list(kept), objective.tokens) or self.journal.record(self.problem, list(kept), objective)
        if len(self.journal.episodes) >= self._saved + TRIALS_PER_CHECKPOINT:
            self.save()
        return episode

    def save(self) -> None:
        """Write the journal's checkpoint, unless it knows more than has been proposed again so far."""
        if len(self.journal.episodes) > self._saved:
            self.journal.save({})
            self._saved = len(self.journal.episodes)

    def _recall(self, kept: list[int], tokens: int) -> Episode | None:
        """The journal's episode where it is of this very candidate; else all that it knows further is forgotten."""
        number = len(self.journal.episodes)
        if number >= len(self._known):
            return None
        episode = self._known[number]
        if (episode.kept, episode.tokens) == (kept, tokens):
            return self.journal.add(episode)
        self.journal.log(f"episode {number} is another one than in the checkpoint: the search goes on from there")
        self._known = self._known[:number]
        self._saved = number
        self.journal.restart()
        return None


def budgeted(propose: Callable[..., SearchResult | None]) -> Callable[..., SearchResult]:
    """An algorithm's ``run``, made of a function that scores candidates until it returns or the budget is spent.

    ``propose(trials, seed)`` may return what it found besides the episodes; the journal ends whole.
    """

    def run(problem: Problem, journal: Journal, episodes: int, seed: int, **more: Any) -> SearchResult:
        trials, result = Trials(problem, journal, episodes), None
        with journal.progress(episodes, problem.objective.tokens), contextlib.suppress(BudgetSpent):
            result = propose(trials, seed, **more)
        trials.save()
        return result or SearchResult()

    return run


def loss(episode: Episode) -> float:
    """What a search lowers: log-perplexity, or the negative reward where there is no perplexity; infinite if broken."""
    if episode.ppl is None:
        return -episode.reward
    return math.log(episode.ppl) if math.isfinite(episode.ppl) else math.inf
