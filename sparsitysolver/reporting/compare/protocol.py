"""Is a measured number comparable with a published one? The one place that decides, for pages and regression alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparsitysolver.config.paper import published_evaluations
from sparsitysolver.config.published import not_the_text
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.records.files import Json


@dataclass(frozen=True)
class Measurement:
    """What a number was measured on and how, as far as published protocols say something about it.

    Attributes:
        method: its key.
        model: the model's key.
        tasks: its task; all of them for an average over tasks.
        split: the split measured.
        seqlen: window length in tokens; None where not recorded.
        items: how many items were asked, over all tasks; None for perplexity.
        evaluations: how many the search took; None where nothing was searched. Of several seeds the fewest.
        text_sha256: hash of the text scored; empty for zero-shot tasks, and where not recorded.
        tokens: how many tokens the text has; None for zero-shot tasks.
    """

    method: str
    model: str
    tasks: tuple[str, ...]
    split: str
    seqlen: int | None = None
    items: int | None = None
    evaluations: int | None = None
    text_sha256: str = ""
    tokens: int | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Measurement":
        """What the number of a row of ``cells.csv`` was measured on; its numbers may be texts."""

        def count(column: str) -> int | None:
            return None if str(row[column]) in ("", "nan") else int(row[column])

        evaluations, numbers = (
            count("search_evaluations"),
            {name: count(name) for name in ("seqlen", "items", "tokens")},
        )
        axes = (row["method"], row["model"], (row["task"],), row["split"])
        return cls(*axes, evaluations=evaluations, text_sha256=row["text_sha256"], **numbers)


def other_protocol(measured: Measurement, protocol: Json) -> str:
    """In what a measurement differs from the published one: why they may not be compared; empty where they may.

    Args:
        measured: what the number was measured on and how.
        protocol: axes of the published measurement (``published_protocol`` of a table): task, split, seqlen, items, and
            the one model where columns are tasks. What it does not name is not compared.
    """
    found = {
        "task": ", ".join(measured.tasks),
        "split": measured.split,
        "seqlen": measured.seqlen,
        "published_model": measured.model,
        "items": _share_of_items(measured.tasks, measured.items),
    }
    differences = [
        f"{axis.removeprefix('published_')} {found[axis]} instead of {published}"
        for axis, published in protocol.items()
        if found[axis] != published
    ]
    return ", ".join([*differences, *filter(None, (_text(measured, protocol), _search(measured)))])


def _share_of_items(tasks: Sequence[str], items: int | None) -> str:
    """How many of the tasks' items were measured: ``all``, or such as ``800 of 1000``."""
    every = sum(tasks_table()[task].n_items for task in tasks if task in tasks_table())
    return "all" if items == every else f"{items} of {every}"


def _text(measured: Measurement, protocol: Json) -> str:
    """Whether another text was scored; of another task or split nothing more needs to be said."""
    if (protocol.get("task"), protocol.get("split", measured.split)) != (*measured.tasks[:1], measured.split):
        return ""
    return not_the_text(measured.tasks[0], measured.split, measured.text_sha256, measured.tokens, measured.model)


def _search(measured: Measurement) -> str:
    """Whether a search was shorter than the paper's; a longer one is no other search."""
    published = published_evaluations().get(measured.method)
    if published is None or measured.evaluations is None or measured.evaluations >= published:
        return ""
    return f"a search of {measured.evaluations} evaluations instead of {published}"
