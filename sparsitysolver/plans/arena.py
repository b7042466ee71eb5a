"""The arena of a grid: which searches meet at which budget, and the jobs that hold and score them (no torch)."""

import functools
from typing import NamedTuple

from sparsitysolver.config.arena import definition
from sparsitysolver.config.registry import SEARCHING, method
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell
from sparsitysolver.plans.job import ARENA_SCORE, ARENA_SEARCH, Job, as_options
from sparsitysolver.pruning.units import UNSTRUCTURED
from sparsitysolver.seeds import derive_seed
from sparsitysolver.sources import search_code, stage_code

ARENA = "arena"


class Problem(NamedTuple):
    """What all entrants share."""

    model: str
    granularity: str
    sparsity: str
    seed: str


class Arena:
    """Searches of a grid at one budget; ``entrants`` that need a chat model run where one is given."""

    def __init__(self, artefacts: Artefacts) -> None:
        self.artefacts, self.grid = artefacts, artefacts.grid
        self.entrants = [name for name, entry in definition().entrants.items() if self.grid.chat or not entry.chat]

    def problems(self) -> list[Problem]:
        """One for every model, setting and seed."""
        return [
            Problem(model, setting.granularity, setting.sparsity, str(seed))
            for setting in definition().settings
            for model in self.grid.own_models(ARENA) or self.grid.models
            for seed in range(self.grid.run.arena_seeds or definition().seeds)
        ]

    @functools.cache  # noqa: B019 - one arena per process
    def search(self, problem: Problem, entrant: str) -> Job:
        """An entrant's search; its curve lies beside the strategy that it finds."""
        model, granularity, sparsity, seed = problem
        entry, settings, text = definition().entrants[entrant], self.grid.searches[ARENA], self.grid.task
        algorithm, inputs = entry.algorithm or entrant, self._calibrated(problem)
        seeded = {"seed": derive_seed(ARENA, model, granularity, sparsity, entrant, seed)}
        own = entry.options | {"algorithm": algorithm, "text": text, "granularity": granularity}
        own |= self.grid.run.evaluated("seqlen")
        searched, identities = settings | own | seeded, self.artefacts.identities
        chat, who = (self.grid.chat, identities.chat()) if entry.chat else ({}, None)
        return Job(
            ARENA_SEARCH,
            problem._asdict() | {"entrant": entrant},
            decided_by=[inputs, as_options(searched), who, sparsity, identities.text(text)],
            inputs=inputs,
            options=as_options(searched | chat | {"sparsity": sparsity}),
            code=search_code(algorithm, text),
            tokens=int(settings["episodes"]) * int(settings["reward_windows"]) * self.artefacts.window(model),
            gated=True,
        )

    @functools.cache  # noqa: B019
    def score(self, problem: Problem) -> Job:
        """Scores of all entrants of a problem: every point of every curve, and the final strategies."""
        strategies = [self.search(problem, entrant).path for entrant in self.entrants]
        asked = {"granularity": problem.granularity, "sparsity": problem.sparsity, "seed_index": problem.seed}
        windows = len(definition().shares) * definition().validation_windows + definition().test_windows
        return Job(
            ARENA_SCORE,
            problem._asdict(),
            decided_by=[
                strategies,
                definition().model_dump(exclude_unset=True),
                *self.grid.run.evaluated("seqlen").values(),
                self.artefacts.identities.precision(problem.model),
            ],
            inputs={"strategies": strategies, **self._calibrated(problem)},
            options=as_options(asked | {"task": self.grid.task} | self.grid.run.evaluated("seqlen")),
            code=(*stage_code("arena_study", self.grid.task), "config/arena.yaml"),
            tokens=(len(self.entrants) + 4) * windows * self.artefacts.window(problem.model),
        )

    def scores(self) -> list[str]:
        """Records of all problems."""
        return [self.score(problem).path for problem in self.problems()]

    def _calibrated(self, problem: Problem) -> dict[str, str]:
        """Files that every search of a problem reads; the statistics are those of weight matrices, which hold all."""
        searching = method(SEARCHING, problem.granularity).key
        cell = Cell(problem.model, searching, problem.sparsity, problem.seed, self.grid.task)
        return self.artefacts.calibrated(cell, UNSTRUCTURED)
