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

from sparsitysolver.data.items import Items

_STOCK = Path(lm_eval.__file__).parent / "tasks"
STOCK_FILES = {
    "boolq": "super_glue/boolq/default.yaml",
    "piqa": "piqa/piqa.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "winogrande": "winogrande/default.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
}
_SPLIT = "test"
# Says which task a file belongs to; a task object outside lm-eval's index takes none of it.
_INDEX_FIELDS = ("tag", "group", "task_list")


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
    stock = load_yaml(_STOCK / STOCK_FILES[items.harness_task])
    config = {key: value for key, value in stock.items() if key not in _INDEX_FIELDS}
    config |= {"training_split": None, "validation_split": None, "test_split": _SPLIT}
    data = datasets.Dataset.from_list(list(items.records))
    config["custom_dataset"] = lambda **_: {_SPLIT: data}
    with quiet():
        return ItemsTask(config=config)


def answered_prompts(items: Items) -> Iterator[str]:
    """Each item as the stock prompt followed by its right answer."""
    task = harness_task(items)
    task.build_all_requests()
    for request in task.instances:
        if request.idx == right_choice(task, request.doc):
            yield "".join(request.args)


def right_choice(task: ConfigurableTask, doc: dict[str, Any]) -> int:
    """Index of the right choice; tasks with several contexts (WinoGrande) keep it where others keep the prompt."""
    return int(task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc))


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
