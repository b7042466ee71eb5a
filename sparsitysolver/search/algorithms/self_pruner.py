"""Self-Pruner (arXiv 2502.14413): a language model runs the evolutionary search for layer-wise pruning rates.

It writes the first population, selects parents, crosses them over and mutates them; sizes and selection of survivors
are those of ``evolution``, which is the same search with arithmetic operators. Candidates that it fails to give are
not made up: the search goes on with fewer offspring. Prompts and repairs are this project's own (deviation 91).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np

from sparsitysolver.chat import prompts
from sparsitysolver.chat.conversation import Chat
from sparsitysolver.chat.proposals import Counts, Form, read_reply
from sparsitysolver.chat.settings import Reply
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json
from sparsitysolver.search.algorithms.evolution import SETTINGS as SIZES
from sparsitysolver.search.algorithms.evolution import evolve
from sparsitysolver.search.journal import Episode
from sparsitysolver.search.problem import SearchResult
from sparsitysolver.search.trials import BudgetSpent, Trials, budgeted

SETTINGS = SimpleNamespace(
    per_request=10,  # 30 candidates of a large model are longer than many models' replies
    asked_again=2,  # times an operator may ask for what a reply failed to give
    mean_tolerance=0.005,  # what a mean rate may miss the target by and not count as repaired
)
DRIVEN = True


class Prompted:
    """The operators of ``evolve``, by asking ``chat``."""

    def __init__(self, trials: Trials, chat: Chat) -> None:
        self._trials, self._chat, self._problem = trials, chat, trials.problem
        self.counts = Counts()
        self.models: set[str] = set()  # who said that they answered
        self._seen: set[tuple[int, ...]] = set()
        self._crossed = 0

    def first(self, count: int) -> list[np.ndarray]:
        """A first population out of the model's own knowledge."""
        got = self._gather(min(count, self._room()), [], parents=0)
        if not got:
            raise self._nothing("the first population")
        return got

    def cross(self, population: Sequence[Episode], count: int) -> list[np.ndarray]:
        """Offspring of two parents each, all selected by the model."""
        count = min(count, self._room()) if len(population) > 1 else 0
        got = self._gather(count, population, parents=2)
        self._crossed = len(got)
        return got

    def mutate(self, population: Sequence[Episode], count: int) -> list[np.ndarray]:
        """Changed copies of parents that the model selects."""
        got = self._gather(min(count, self._room() - self._crossed), population, parents=1)
        if not got and not self._crossed:
            raise self._nothing("a generation")
        return got

    def _room(self) -> int:
        """Candidates that the budget still holds: no more are asked for."""
        room = self._trials.left // self._problem.objective.tokens
        if room < 1:
            raise BudgetSpent
        return room

    def _gather(self, count: int, population: Sequence[Episode], parents: int) -> list[np.ndarray]:
        """At most ``count`` new candidates (units,) as preserved ratios, in as many requests as it takes."""
        problem, bounds = self._problem, self._problem.bounds
        form = Form(len(problem.units), 1 - bounds.upper, 1 - bounds.lower, parents, len(population))
        shown = [(one.ppl, one.reward, 1 - problem.ratios(one.kept)) for one in population]
        got: list[np.ndarray] = []
        refused: list[str] = []
        failures, proposed = 0, len(self._seen)
        while len(got) < count:
            wanted = min(SETTINGS.per_request, count - len(got))
            asked = {"wanted": wanted, "parents": parents, "proposed": proposed}
            faults = {"refused": refused, "failures": failures}
            accepted = [1 - ratios for ratios in got]
            question = prompts.prompt(problem.units, problem.sparsity, bounds, shown, accepted, **asked, **faults)
            new, refused = self._proposed(self._chat.ask(question), form, wanted)
            got += new
            if len(new) == wanted:
                refused = []
                continue
            failures += 1
            if failures > SETTINGS.asked_again:
                break
            self.counts.asked_again += 1
            refused = refused or [f"it holds {len(new)} candidates, {wanted} are needed"]
        self.counts.missing += max(0, count - len(got))
        return got

    def _proposed(self, reply: Reply, form: Form, wanted: int) -> tuple[list[np.ndarray], list[str]]:
        """The reply's first ``wanted`` new candidates as preserved ratios, and what is wrong with the others."""
        counts, problem = self.counts, self._problem
        counts.asked += wanted
        counts.retries += reply.attempts - 1
        self.models.add(reply.model)
        for name, tokens in (reply.usage or {}).items():
            setattr(counts, name, (getattr(counts, name) or 0) + tokens)
        found, refused = read_reply(reply.text, form, counts)
        if reply.finish == "length":
            counts.cut += 1
            refused = ["it was cut at the most tokens allowed", *refused]
        weights = np.array([unit.weights for unit in problem.units])
        new: list[np.ndarray] = []
        for place, (rates, clipped) in found.items():
            kept = tuple(problem.fit(1 - rates))
            if len(new) == wanted:
                counts.surplus += 1
            elif kept in self._seen:
                counts.repeated += 1
                refused.append(f"candidate {place}: repeats what was proposed before")
            else:
                self._seen.add(kept)
                mean = float(rates @ weights / weights.sum())
                counts.repaired += clipped or abs(mean - problem.sparsity) > SETTINGS.mean_tolerance
                new.append(1 - rates)
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

    One that fails, or gives nothing for a whole generation, is an error; the journal is saved.
    """
    if driver is None:
        raise SparsitySolverError("algorithm 'self_pruner' needs a driver: a chat model, or a recorded conversation.")
    operators = Prompted(trials, driver)
    try:
        with contextlib.suppress(BudgetSpent):
            evolve(trials, operators.first, operators.cross, operators.mutate)
    finally:
        trials.save()
    return SearchResult(notes=asdict(operators.counts) | {"answered_by": sorted(operators.models)})


def record() -> Json:
    """The sizes are the evolutionary search's."""
    return {name: getattr(SIZES, name) for name in ("population", "crossovers", "mutations")}
