"""Accuracy on a zero-shot task as reward (paper, table 4): items tokenised once a search."""

from collections.abc import Sequence
from dataclasses import replace

from sparsitysolver.config.bos import FIRST
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.data.items import Items
from sparsitysolver.evaluation.choices import accuracy, choice_requests
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.seen import REWARD, seen
from sparsitysolver.search.engines import Engine
from sparsitysolver.search.problem import Objective, Reward, bos_identity, evenly


def task_reward(items: Items, bos: str = FIRST) -> Reward:
    """Items of a zero-shot task, by the metric that the task is reported with; ``bos`` is the model's rule."""
    most, metric = len(items.records), tasks_table()[items.task].metric

    def objective(loaded: LoadedModel, engine: Engine, full: Sequence[int], count: int) -> Objective:
        chosen = tuple(items.records[index] for index in evenly(most, count))
        requests = choice_requests(loaded, replace(items, records=chosen))

        def score(kept: Sequence[int]) -> tuple[None, float]:
            engine.apply(kept)
            return None, accuracy(engine.adapter, requests, metric)

        about = {"metric": metric, "reward_items": len(chosen)}
        return Objective(score, requests.tokens, len(chosen), about=about)

    identity = {"task": items.task, "items_sha256": items.sha256, "items": items.part} | bos_identity(bos)
    return Reward(most, objective, identity, seen(REWARD, items.task, items.part, items.sha256))
