"""Accuracy on a zero-shot task as reward (paper, table 4): items tokenised once a search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from sparsitysolver.config.registry import tasks_table
from sparsitysolver.data.items import Items
from sparsitysolver.evaluation.choices import ChoiceRequests, accuracy, choice_requests
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import REWARD, seen
from sparsitysolver.search.engines import Engine
from sparsitysolver.search.objectives import evenly


@dataclass(frozen=True)
class AccuracyObjective:
    """Accuracy on items of a zero-shot task (paper, table 4), by the metric that the task is reported with."""

    engine: Engine
    requests: ChoiceRequests
    metric: str
    setup_evaluations: ClassVar[int] = 0

    @property
    def tokens(self) -> int:
        """Tokens of all requests."""
        return self.requests.tokens

    @property
    def size(self) -> int:
        """Number of items."""
        return len(self.requests.gold)

    def score(self, kept: Sequence[int]) -> tuple[None, float]:
        """(None, accuracy) of a candidate."""
        self.engine.apply(kept)
        return None, accuracy(self.engine.adapter, self.requests, self.metric)


@dataclass(frozen=True)
class TaskReward:
    """Items of a zero-shot task; requests are tokenised once a search."""

    items: Items

    @property
    def most(self) -> int:
        """Number of items."""
        return len(self.items.records)

    def objective(self, loaded: LoadedModel, engine: Engine, full: Sequence[int], count: int) -> AccuracyObjective:
        """The objective over ``count`` items (0: all), spread evenly."""
        chosen = tuple(self.items.records[index] for index in evenly(len(self.items.records), count))
        requests = choice_requests(loaded, replace(self.items, records=chosen))
        return AccuracyObjective(engine, requests, tasks_table()[self.items.task].metric)

    def identity(self) -> Json:
        """What decides the objective besides the number of items."""
        return {"task": self.items.task, "items_sha256": self.items.sha256, "items": self.items.part}

    def record(self, objective: AccuracyObjective) -> Json:
        """What a strategy keeps of its reward."""
        return self.identity() | {"metric": objective.metric, "reward_items": len(objective.requests.gold)}

    def seen(self) -> Json:
        """The items."""
        return seen(REWARD, self.items.task, self.items.part, self.items.sha256)
