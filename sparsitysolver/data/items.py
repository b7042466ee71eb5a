"""Zero-shot items by task: hub, assets folder or the bundled mini language; checked, and divided into parts.

A part is what may be seen when: ``report`` is what tables report, ``search`` what a search or a calibration may see,
``all`` the whole stock evaluation split, of which ``report`` may be a part.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import TaskRow, datasets_table, zero_shot_task
from sparsitysolver.data import minilang
from sparsitysolver.data.files import read_lines
from sparsitysolver.data.item_schemas import item_record
from sparsitysolver.data.sources import hub_split
from sparsitysolver.data.windows import spread
from sparsitysolver.errors import SparsitySolverError, unknown_name
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
    """Load the items of a zero-shot task.

    Args:
        task: key of a zero-shot task in ``config/tasks.tsv``.
        part: ``report``, ``search`` or ``all``.
        assets: read ``tasks/<task>.jsonl`` there; the hub without a folder.
        limit: so many items, spread evenly over the part; None for all of them.

    Raises:
        SparsitySolverError: unknown task or part, missing asset, unreachable hub, an item that is not as it must be,
            more items asked for than there are.
    """
    row = zero_shot_task(task)
    if part not in PARTS:
        raise unknown_name("part of the items", part, PARTS)
    read = _from_hub if assets.folder is None else _from_assets
    if row.dataset == "mini":
        read = _from_minilang
    records, revision, location = read(row, part, assets)
    if not records:
        raise SparsitySolverError(f"{location} holds no items of {task} for the part '{part}'.")
    if limit is not None and not 1 <= limit <= len(records):
        raise SparsitySolverError(f"{limit} items of {task} asked for; the part '{part}' has {len(records)}.")
    chosen = tuple(records[index] for index in spread(len(records), limit))
    return Items(task, row.harness_task, chosen, row.dataset, revision, part, location)


def _from_minilang(row: TaskRow, part: str, assets: Assets) -> tuple[list[Json], str, str]:
    records = minilang.items(row.harness_task, "train" if part == SEARCH else "test")
    location = "sparsitysolver.data.minilang"
    return _checked(row, records, lambda index: f"{location}, item {index + 1}"), "bundled", location


def asset_files(task: str, assets: Assets) -> list[Path]:
    """The files of an assets folder that a task's items are read from: the main one, its train file if there is."""
    main = assets.existing(f"tasks/{task}.jsonl", f"the items of {task}")
    train = main.with_suffix(".train.jsonl")
    return [main, train] if train.is_file() else [main]


def _from_assets(row: TaskRow, part: str, assets: Assets) -> tuple[list[Json], str, str]:
    main, *train = asset_files(row.key, assets)
    if train:
        path = train[0] if part == SEARCH else main
        return _read_jsonl(row, path), "assets", str(path)
    records = _read_jsonl(row, main)
    if part != ALL:
        records = [record for record in records if _is_for_searching(record) == (part == SEARCH)]
    return records, "assets", str(main)


def _is_for_searching(record: Json) -> bool:
    """By content and not by place: an item that occurs twice cannot be both searched on and reported."""
    digest = hashlib.sha256(canonical_json(record).encode()).digest()
    return int.from_bytes(digest[:8]) % _SEARCH_SHARE == 0


def _read_jsonl(row: TaskRow, path: Path) -> list[Json]:
    lines = list(read_lines(path))
    return _checked(row, [value for _, value in lines], lambda index: lines[index][0])


def _from_hub(row: TaskRow, part: str, assets: Assets) -> tuple[list[Json], str, str]:
    data, split = datasets_table()[row.dataset], "train" if part == SEARCH else row.split
    values = list(hub_split(data, split, row.key, f"tasks/{row.key}.jsonl"))
    location = f"{data.hub_id} {split}"
    return _checked(row, values, lambda index: f"{location}, item {index + 1}"), data.revision, location


def _checked(row: TaskRow, values: list[Any], place: Callable[[int], str]) -> list[Json]:
    """Every value as a record of the task; ``place`` names where the value of an index stands."""

    def records() -> Iterator[Json]:
        for index, value in enumerate(values):
            try:
                yield item_record(row.harness_task, value)
            except ValueError as error:
                raise SparsitySolverError(f"{place(index)}: {error}") from error

    return list(records())
