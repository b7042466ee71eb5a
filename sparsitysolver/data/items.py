"""Zero-shot items by task: hub, assets folder or the bundled mini language; checked, and divided into parts.

A part is what may be seen when: ``report`` is what tables report, ``search`` what a search or a calibration may see,
``all`` the whole stock evaluation split, of which ``report`` may be a part.

An item must hold the fields that its row of ``config/tasks.tsv`` lists, which lm-eval's prompts read: ``name:kind``
with blanks between. Kinds are

- ``text``: any text, an empty one too (the second context of HellaSwag often is); ``blank``: with a blank written as _;
- ``option``: a text to choose, never empty, because accuracy is normalised by its length; ``4_options``: four of them;
- ``labelled``: ``{"text": [...], "label": [...]}``, two or more options with their labels; ``key``, behind them: one of
  these labels;
- ``0|1``: one of these numbers; ``'1'|'2'``: one of these texts, or the number that it spells.

Fields that are not listed (ids, sources) are left out of a record, so that one item has one spelling wherever it comes
from.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import TaskRow, datasets_table, zero_shot_task
from sparsitysolver.data import minilang
from sparsitysolver.data.files import read_lines, shown, text_value
from sparsitysolver.data.sources import hub_split
from sparsitysolver.data.windows import spread
from sparsitysolver.errors import SparsitySolverError, known, unknown_name
from sparsitysolver.records.files import Json, canonical_json

REPORT, SEARCH, ALL = PARTS = ("report", "search", "all")
# Of a main file without a train file beside it, one item in so many is for searching.
_SEARCH_SHARE = 5


@dataclass(frozen=True)
class Items:
    """Items of one part of a task, in the order of their source; ``records`` have the hub's field names."""

    task: str
    harness_task: str
    records: tuple[Json, ...]
    source: str
    revision: str
    part: str
    location: str

    @functools.cached_property
    def sha256(self) -> str:
        """Hash of the records' content, in order; the same wherever the same items were read from."""
        return hashlib.sha256("\n".join(canonical_json(record) for record in self.records).encode()).hexdigest()


def load_items(task: str, part: str, assets: Assets, limit: int | None = None) -> Items:
    """One part of the items of a zero-shot task, each checked: all of them, or ``limit`` spread evenly."""
    row = zero_shot_task(task)
    known("part of the items", part, PARTS)
    records, revision, location = _read(row, part, assets)
    if not records:
        raise SparsitySolverError(f"{location} holds no items of {task} for the part '{part}'.")
    if limit is not None and not 1 <= limit <= len(records):
        raise SparsitySolverError(f"{limit} items of {task} asked for; the part '{part}' has {len(records)}.")
    chosen = tuple(records[index] for index in spread(len(records), limit))
    return Items(task, row.harness_task, chosen, row.dataset, revision, part, location)


def asset_files(task: str, assets: Assets) -> list[Path]:
    """The files of an assets folder that a task's items are read from: the main one, its train file if there is."""
    main = assets.existing(f"tasks/{task}.jsonl", f"the items of {task}")
    train = main.with_suffix(".train.jsonl")
    return [main, train] if train.is_file() else [main]


def _read(row: TaskRow, part: str, assets: Assets) -> tuple[list[Json], str, str]:
    """Records, their revision, and where they are from."""
    if row.dataset == "mini":
        location, revision = "sparsitysolver.data.minilang", "bundled"
        values = minilang.items(row.harness_task, "train" if part == SEARCH else "test")
    elif assets.folder is None:
        data, split = datasets_table()[row.dataset], "train" if part == SEARCH else row.split
        location, revision = f"{data.hub_id} {split}", data.revision
        values = hub_split(data, split, row.key, f"tasks/{row.key}.jsonl")
    else:
        main, *train = asset_files(row.key, assets)
        path = train[0] if train and part == SEARCH else main
        records = _checked(row, list(read_lines(path)))
        if not train and part != ALL:
            records = [record for record in records if _is_for_searching(record) == (part == SEARCH)]
        return records, "assets", str(path)
    placed = ((f"{location}, item {number}", value) for number, value in enumerate(values, start=1))
    return _checked(row, placed), revision, location


def _is_for_searching(record: Json) -> bool:
    """By content and not by place: an item that occurs twice cannot be both searched on and reported."""
    digest = hashlib.sha256(canonical_json(record).encode()).digest()
    return int.from_bytes(digest[:8]) % _SEARCH_SHARE == 0


def _checked(row: TaskRow, placed: Iterable[tuple[str, Any]]) -> list[Json]:
    """Every value as a record: the fields of its task, in their order, with values of the hub's types.

    Messages name the place where a value stands, the field, what was found and what is allowed.
    """
    task, records = row.harness_task, []
    fields = dict(field.split(":", 1) for field in zero_shot_task(task).fields.split())
    for place, value in placed:
        if not isinstance(value, Mapping):
            raise SparsitySolverError(f"{place}: no JSON object but {shown(value)}; an item of {task} is one.")
        record: Json = {}
        for field, kind in fields.items():
            if field not in value:
                raise SparsitySolverError(f"{place}: no field '{field}'; an item of {task} has {', '.join(fields)}.")
            try:
                record[field] = _field(kind, value[field], record)
            except ValueError as error:
                found = f"field '{field}' is {shown(value[field])}"
                raise SparsitySolverError(f"{place}: {found}; allowed: {error}.") from error
        records.append(record)
    return records


def _field(kind: str, value: Any, record: Json) -> Any:
    """The value in the hub's type; raises ValueError with what is allowed."""
    count, _, several = kind.partition("_")
    if several == "options":
        if not isinstance(value, list) or len(value) != int(count):
            raise ValueError(f"a list of {count} texts")
        return [_option(one) for one in value]
    if kind == "key":
        labels = next(one["label"] for one in record.values() if isinstance(one, dict))
        key = text_value(value).strip()  # some keys on the hub have a blank before the letter
        if key not in labels:
            raise ValueError(", ".join(labels))
        return key
    if "|" in kind:
        allowed, type_ = kind.split("|"), str if kind.startswith("'") else int
        # True and False are no numbers
        if type(value) not in (int, type_) or str(value) not in [one.strip("'") for one in allowed]:
            raise ValueError(" or ".join(allowed))
        return type_(value)
    if kind not in _KINDS:
        raise unknown_name("kind of field (in config/tasks.tsv)", kind, [*_KINDS, "key", "4_options", "0|1", "'0'|'1'"])
    return _KINDS[kind](value)


def _option(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return text_value(value)


def _blank(value: Any) -> str:
    if "_" not in text_value(value):
        raise ValueError("a text with a blank written as _")
    return value


def _labelled(value: Any) -> Json:
    allowed = "an object with the lists 'text' and 'label', two or more texts that are not empty and their labels"
    if not isinstance(value, Mapping) or not all(isinstance(value.get(key), list) for key in ("text", "label")):
        raise ValueError(allowed)
    texts, labels = value["text"], value["label"]
    if not 2 <= len(texts) == len(labels) or not all(isinstance(one, str) and one for one in (*texts, *labels)):
        raise ValueError(allowed)
    if len(set(labels)) != len(labels):
        raise ValueError("labels that differ from one another")
    return {"text": list(map(text_value, texts)), "label": list(map(text_value, labels))}


_KINDS = {"text": text_value, "option": _option, "blank": _blank, "labelled": _labelled}
