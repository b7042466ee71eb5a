"""Self-Pruner (arXiv 2502.14413): a language model runs the evolutionary search for layer-wise pruning rates.

It writes the first population, selects parents, crosses them over and mutates them; sizes and selection of survivors
are those of ``evolution``, which is the same search with arithmetic operators. Candidates that it fails to give are
not made up: the search goes on with fewer offspring. Prompts and repairs are this project's own (deviation 91).
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from sparsitysolver.chat import prompts
from sparsitysolver.chat.conversation import Chat
from sparsitysolver.chat.driver import Reply
from sparsitysolver.chat.proposals import Counts, Form, read_reply
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json
from sparsitysolver.search.algorithms.evolution import SETTINGS as SIZES
from sparsitysolver.search.algorithms.evolution import Individual, evolve
from sparsitysolver.search.result import SearchResult
from sparsitysolver.search.trials import BudgetSpent, Trials, budgeted


@dataclass(frozen=True)
class SelfPrunerSettings:
    """How candidates are asked for."""

    per_request: int = 10  # 30 candidates of a large model are longer than many models' replies
    asked_again: int = 2  # times an operator may ask for what a reply failed to give
    mean_tolerance: float = 0.005  # what a mean rate may miss the target by and not count as repaired


SETTINGS = SelfPrunerSettings()
DRIVEN = True


class Prompted:
    """The operators of ``evolve``, by asking ``chat``."""

    def __init__(self, trials: Trials, chat: Chat, counts: Counts, settings: SelfPrunerSettings = SETTINGS) -> None:
        self._trials, self._chat, self.counts, self._settings = trials, chat, counts, settings
        self._problem = trials.problem
        self._seen: set[tuple[int, ...]] = set()
        self._crossed = 0
        self.models: set[str] = set()  # who said that they answered

    def first(self, count: int) -> list[np.ndarray]:
        """A first population out of the model's own knowledge."""
        got = self._gather(prompts.first, min(count, self._room()), [], parents=0)
        if not got:
            raise self._nothing("the first population")
        return got

    def cross(self, population: Sequence[Individual], count: int) -> list[np.ndarray]:
        """Offspring of two parents each, all selected by the model."""
        count = min(count, self._room()) if len(population) > 1 else 0
        got = self._gather(prompts.cross, count, population, parents=2)
        self._crossed = len(got)
        return got

    def mutate(self, population: Sequence[Individual], count: int) -> list[np.ndarray]:
        """Changed copies of parents that the model selects."""
        got = self._gather(prompts.mutate, min(count, self._room() - self._crossed), population, parents=1)
        if not got and not self._crossed:
            raise self._nothing("a generation")
        return got

    def _room(self) -> int:
        """Candidates that the budget still holds: no more are asked for."""
        room = self._trials.left // self._problem.objective.tokens
        if room < 1:
            raise BudgetSpent
        return room

    def _gather(
        self, task: Callable[[int, int], str], count: int, population: Sequence[Individual], parents: int
    ) -> list[np.ndarray]:
        """At most ``count`` new candidates (units,) as preserved ratios, in as many requests as it takes."""
        problem, bounds = self._problem, self._problem.bounds
        form = Form(len(problem.units), 1 - bounds.upper, 1 - bounds.lower, parents, len(population))
        told = prompts.introduction(problem.units, problem.sparsity, bounds)
        members = [prompts.Member(1 - one.ratios, one.ppl, one.reward) for one in population]
        shown = prompts.population(members, len(self._seen))
        got: list[np.ndarray] = []
        refused: list[str] = []
        failures = 0
        while len(got) < count:
            wanted = min(self._settings.per_request, count - len(got))
            parts = [
                told,
                shown if population else "",
                prompts.already([1 - ratios for ratios in got]) if got else "",
                prompts.again(refused, failures) if refused else "",
                task(wanted, form.units),
            ]
            new, refused = self._proposed(self._ask(wanted, parts), form, wanted)
            got += new
            if len(new) == wanted:
                refused = []
                continue
            failures += 1
            if failures > self._settings.asked_again:
                break
            self.counts.asked_again += 1
            refused = refused or [f"it holds {len(new)} candidates, {wanted} are needed"]
        self.counts.missing += max(0, count - len(got))
        return got

    def _ask(self, wanted: int, parts: Sequence[str]) -> Reply:
        reply, counts = self._chat.ask(prompts.message(*parts)), self.counts
        counts.asked += wanted
        counts.retries += reply.attempts - 1
        counts.cut += reply.finish == "length"
        self.models.add(reply.model)
        for name, tokens in (reply.usage or {}).items():
            setattr(counts, name, (getattr(counts, name) or 0) + tokens)
        return reply

    def _proposed(self, reply: Reply, form: Form, wanted: int) -> tuple[list[np.ndarray], list[str]]:
        """The reply's first ``wanted`` new candidates as preserved ratios, and what is wrong with the others."""
        counts, problem = self.counts, self._problem
        reading = read_reply(reply.text, form, counts)
        refused = (["it was cut at the most tokens allowed"] if reply.finish == "length" else []) + reading.refused
        weights = np.array([unit.weights for unit in problem.units])
        new: list[np.ndarray] = []
        for place, proposal in reading.proposals.items():
            if len(new) == wanted:
                counts.surplus += 1
                continue
            kept = tuple(problem.fit(1 - proposal.rates))
            if kept in self._seen:
                counts.repeated += 1
                refused.append(f"candidate {place}: repeats what was proposed before")
                continue
            self._seen.add(kept)
            mean = float(proposal.rates @ weights / weights.sum())
            off = abs(mean - problem.sparsity) > self._settings.mean_tolerance
            counts.repaired += proposal.clipped or off
            new.append(1 - proposal.rates)
        counts.accepted += len(new)
        return new, refused

    def _nothing(self, what: str) -> SparsitySolverError:
        faults = ("malformed", "wrong_length", "not_a_number", "out_of_range", "wrong_parents", "repeated")
        counted = ", ".join(f"{name.replace('_', ' ')} {getattr(self.counts, name)}" for name in faults)
        return SparsitySolverError(
            f"the chat model {' and '.join(sorted(self.models))} gave no usable candidate for {what}; faults in its "
            f"{self.counts.replies} replies so far: {counted}. What was found is saved; take another --chat-model, or "
            "another --seed."
        )


@budgeted
def run(trials: Trials, seed: int, driver: Chat | None = None) -> SearchResult:
    """Evolve by what ``driver`` proposes, which alone is random.

    Raises:
        SparsitySolverError: no driver, one that fails, or one that gives nothing for a whole generation; the journal is
            saved.
    """
    if driver is None:
        raise SparsitySolverError("algorithm 'self_pruner' needs a driver: a chat model, or a recorded conversation.")
    operators = Prompted(trials, driver, Counts())
    try:
        with contextlib.suppress(BudgetSpent):
            evolve(trials, operators)
    finally:
        trials.save()
    return SearchResult(notes=asdict(operators.counts) | {"answered_by": sorted(operators.models)})


def record() -> Json:
    """The sizes are the evolutionary search's."""
    return {name: getattr(SIZES, name) for name in ("population", "crossovers", "mutations")}
