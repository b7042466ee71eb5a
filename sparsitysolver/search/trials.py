"""A budget of evaluated tokens, spent candidate by candidate: the loop under every search that learns no networks."""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sparsitysolver.search.journal import Episode, Journal
from sparsitysolver.search.problem import Problem, SearchResult

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

    def __post_init__(self) -> None:
        self.journal.resume()
        self._known, self.journal.episodes, self.journal.best = self.journal.episodes, [], None
        self._saved = len(self._known)
        self.budget = self.episodes * self.problem.objective.tokens  # tokens that may be evaluated

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

        Where the budget does not hold so many tokens any more, :class:`BudgetSpent` is raised and nothing evaluated.
        """
        objective, number = self.problem.over(size), len(self.journal.episodes)
        if objective.tokens > self.left:
            raise BudgetSpent
        known = self._known[number] if number < len(self._known) else None
        if known and (known.kept, known.tokens) != (list(kept), objective.tokens):
            self.journal.log(f"episode {number} is another one than in the checkpoint: the search goes on from there")
            known, self._known, self._saved = None, self._known[:number], number
            self.journal.save_curve()
        episode = self.journal.add(known) if known else self.journal.record(self.problem, list(kept), objective)
        if len(self.journal.episodes) >= self._saved + TRIALS_PER_CHECKPOINT:
            self.save()
        return episode

    def save(self) -> None:
        """Write the journal's checkpoint, unless it knows more than has been proposed again so far."""
        if len(self.journal.episodes) > self._saved:
            self.journal.save({})
            self._saved = len(self.journal.episodes)


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
