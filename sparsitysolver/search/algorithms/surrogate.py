"""Measure what each unit does alone, add the effects up, solve for the best allocation, and measure again around it.

A round changes one unit at a time, up and down, and notes the change of log-perplexity on the same windows. Effects
are taken as additive, so the best allocation under the budget is a knapsack with an exact solution
(:func:`pruning.effects.cheapest`). Around that solution the next round measures. A round that brings nothing halves the
reach and doubles the windows; after two of them, and at the end of the budget, the solutions of all rounds meet each
other on what is left. The measured table gives the strategy of any other budget for no further evaluation.
"""

import contextlib
from types import SimpleNamespace

from sparsitysolver.pruning.effects import Effect, cheapest
from sparsitysolver.pruning.units import budget
from sparsitysolver.search.problem import SearchResult
from sparsitysolver.search.trials import BudgetSpent, Trials, budgeted, loss

SETTINGS = SimpleNamespace(
    most_levels=3,  # on each side of the start, in the first round
    first_share=0.5,  # of the budget, for the first round at most
    playoff_share=0.1,  # for the final comparison
    reach=0.5,  # of later rounds, as a share of the way from a unit's ratio to its bound
    patience=2,  # rounds in a row that bring nothing
)


class Rounds:
    """A search between two rounds, at the allocation ``kept``, from where the ``effects`` of all rounds are seen."""

    def __init__(self, trials: Trials) -> None:
        self.trials, self.problem = trials, trials.problem
        self.kept = self.problem.fit(self.problem.uniform)
        self.solutions, self.effects, self.number = [self.kept], [], 0

    def run(self) -> None:
        """Rounds until they bring nothing or the budget is spent, then the play-off."""
        reserve = int(SETTINGS.playoff_share * self.trials.budget)
        size, counts = self._first(self.trials.budget - reserve)
        reach, failures = SETTINGS.reach, 0
        while size >= 1 and failures < SETTINGS.patience:
            if self._round(counts, size):
                failures = 0
            else:
                failures, reach = failures + 1, reach / 2
            counts = [self._around(index, [-reach, reach]) for index in range(len(self.kept))]
            size = self._size(counts, (self.trials.left - reserve) // self.trials.unit, failures)
        size = self.trials.left // (self.trials.unit * len(self.solutions))
        if size >= 1:
            self._move(min(self.solutions, key=lambda kept: loss(self.trials.score(kept, size))))

    def _first(self, tokens: int) -> tuple[int, list[list[int]]]:
        """Windows and counts of the first round: as many levels as its share of the budget holds."""
        windows = int(SETTINGS.first_share * tokens) // self.trials.unit
        for levels in range(SETTINGS.most_levels, 0, -1):
            sides = [SETTINGS.reach] if levels == 1 else [(step + 1) / levels for step in range(levels)]
            counts = [self._around(index, [-s for s in sides] + sides) for index in range(len(self.kept))]
            if _evaluations(counts) * self.problem.objective.size <= windows:
                return self.problem.objective.size, counts
        return windows // _evaluations(counts), counts

    def _size(self, counts: list[list[int]], windows: int, failures: int) -> int:
        """Windows of the next round's evaluations: the search's own, more where the rest of the budget has room."""
        needed = _evaluations(counts)
        usual = self.problem.objective.size * 2**failures
        rounds = max(1, windows // (needed * usual))
        return min(windows // (needed * rounds), self.problem.most or usual)

    def _around(self, index: int, reaches: list[float]) -> list[int]:
        """Counts of a unit around its present one; a reach of 1 goes to the upper bound, -1 to the lower."""
        unit, bounds, now = self.problem.units[index], self.problem.bounds, self.kept[index]
        least, most = round(bounds.lower * unit.size), round(bounds.upper * unit.size)
        ends = min(least, now), max(most, now)
        found = {round(now + abs(reach) * (ends[reach > 0] - now)) for reach in reaches}
        found |= {max(least, now - 1), min(most, now + 1)} if len(found - {now}) == 0 else set()
        return sorted(found - {now})

    def _round(self, counts: list[list[int]], size: int) -> bool:
        """Measure around the present allocation and move to the best one; whether that is better than it."""
        start = loss(self.trials.score(self.kept, size))
        measured = []
        for index, choices in enumerate(counts):
            changes = {self.kept[index]: 0.0}
            for count in choices:
                probe = [*self.kept[:index], count, *self.kept[index + 1 :]]
                changes[count] = loss(self.trials.score(probe, size)) - start
            measured.append(Effect.of(changes))
        self.effects = [new.widened(old) for new, old in zip(measured, self.effects or measured, strict=True)]
        room = budget(self.problem.units, self.problem.sparsity)
        solution = self.problem.fit(self.problem.ratios(cheapest(measured, self.problem.units, room)))
        better = loss(self.trials.score(solution, size)) < start
        self.number += 1
        if solution not in self.solutions:
            self.solutions.append(solution)
        if better:
            self._move(solution)
        return better

    def _move(self, kept: list[int]) -> None:
        """Stand at another allocation; the effects are seen from there."""
        self.kept = kept
        self.effects = [effect.seen_from(count) for effect, count in zip(self.effects, kept)]


def _evaluations(counts: list[list[int]]) -> int:
    """Of one round: the present allocation, every change, and the solution."""
    return 2 + sum(map(len, counts))


@budgeted
def run(trials: Trials, seed: int) -> SearchResult:
    """Rounds and a play-off within the budget; there is nothing random in it."""
    rounds = Rounds(trials)
    with contextlib.suppress(BudgetSpent):
        rounds.run()
    notes = {"rounds": rounds.number, "solutions": len(rounds.solutions)}
    return SearchResult({"surrogate": rounds.kept}, notes=notes, effects=rounds.effects or None)
