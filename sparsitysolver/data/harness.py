"""Items as a task of lm-eval: its stock prompts, choices and metrics on our records, without files or network."""

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import lm_eval
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

from sparsitysolver.config.registry import zero_shot_task
from sparsitysolver.data.items import Items
from sparsitysolver.data.sources import Text

_STOCK = Path(lm_eval.__file__).parent / "tasks"


class ItemsTask(ConfigurableTask):
    """A stock task on given items; it draws no progress bar while it builds its requests, which takes no time."""

    def build_all_requests(self, **options: Any) -> None:
        """Fill ``instances``: the requests of each item in turn, one a choice."""
        with quiet(), contextlib.redirect_stderr(io.StringIO()):
            super().build_all_requests(**options)


def harness_task(items: Items) -> ConfigurableTask:
    """The stock lm-eval task with ``items`` as its only split: no training split, so no few-shot examples.

    The records stay in memory: nothing is read from the hub, and nothing is left in the user's cache.
    """
    config = dict(load_yaml(_STOCK / zero_shot_task(items.harness_task).stock))
    for field in ("tag", "group", "task_list"):  # a task object outside lm-eval's index takes none of these
        config.pop(field, None)
    data = datasets.Dataset.from_list(list(items.records))
    config |= {"training_split": None, "validation_split": None, "test_split": "test"}
    config["custom_dataset"] = lambda **_: {"test": data}
    with quiet():
        return ItemsTask(config=config)


def task_text(items: Items) -> Text:
    """The task's own text, to calibrate on: a document an item, its stock prompt followed by its right answer."""
    task = harness_task(items)
    task.build_all_requests()
    right = [request for request in task.instances if request.idx == right_choice(task, request.doc)]
    documents = tuple("".join(request.args) for request in right)
    return Text(items.task, items.part, documents, items.revision, items.location)


def right_choice(task: ConfigurableTask, doc: dict[str, Any]) -> int:
    """Index of the right choice; tasks with several contexts (WinoGrande) keep it where others keep the prompt."""
    target = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    named = isinstance(target, str) and not target.isdigit()  # by its text (COPA)
    return task.doc_to_choice(doc).index(target) if named else int(target)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of ``datasets`` and no log lines of lm-eval below an error, within the block only."""
    logger = logging.getLogger("lm_eval")
    level, bars = logger.level, datasets.are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()
