"""``strategies.csv``: how much every strategy keeps of every unit, one row per unit."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sparsitysolver.config.registry import is_zero_shot, method
from sparsitysolver.records.files import Json, content_key, read_json, read_record
from sparsitysolver.reporting.collected.places import place_of
from sparsitysolver.reporting.collected.rows import write_rows

AXES = ("model", "family", "method", "label", "granularity", "algorithm", "sparsity", "seed", "task")
UNITS = ("achieved_sparsity", "unit", "name", "kind", "layer", "size", "kept", "ratio")
COLUMNS = (*AXES, *UNITS, "key")


def strategies_command(files: Sequence[Path], out: Path) -> None:
    """``report strategies``: strategies of searches, and those that cells keep, to one long table.

    Cells without an allocation are left out; a strategy that the cells of several tasks share stands once.
    """
    rows = {}
    for path in files:
        for row in _rows(Path(path)):
            rows.setdefault(tuple(row[name] for name in (*AXES, "unit", "kept")), row)
    ordered = sorted(rows.values(), key=lambda row: tuple(row[name] for name in (*AXES, "key", "unit")))
    write_rows(out, COLUMNS, ordered)


def _rows(path: Path) -> Iterator[Json]:
    """The units of a strategy, in a file of its own or in a cell."""
    if "units" in read_json(path, "strategy or cell"):
        strategy, place = read_record(path, "strategy"), place_of(path)
        axes = {"model": place.model, "method": place.method, "label": method(place.method).label}
        axes |= {"sparsity": place.sparsity, "seed": place.seed, "task": place.task, "key": place.key}
    else:
        cell = read_record(path, "cell")
        strategy = cell.get("strategy")
        if strategy is None:
            return
        axes = {name: cell[name] for name in ("method", "label", "sparsity", "seed")}
        own_task = is_zero_shot(cell["task"]) and strategy["found"].get("task") == cell["task"]
        axes |= {"model": cell["model"]["name"], "task": cell["task"] if own_task else ""}
        axes |= {"key": content_key(strategy)}
    axes |= {"family": strategy["model"]["family"], "granularity": strategy["granularity"]}
    axes |= {"algorithm": strategy["found"]["algorithm"], "achieved_sparsity": strategy["achieved_sparsity"]}
    for index, unit in enumerate(strategy["units"]):
        counts = {name: unit[name] for name in ("name", "kind", "size", "kept", "ratio")}
        yield axes | {"unit": index, "layer": int(unit["name"].split(".")[1])} | counts
