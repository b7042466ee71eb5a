"""Records of searches and measurements to long tables: rows of each kind, and the one mechanism that writes them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import is_zero_shot, method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CURVES, EPISODE, INFERENCE, RECONSTRUCTION, STRATEGIES, LongTable
from sparsitysolver.records.files import Json, content_key, read_json, read_record
from sparsitysolver.reporting.collected.long_tables import read_finite, refuse_duplicates, write_rows

_AXES = ("method", "label", "sparsity", "seed")
_SKIPPED = "skipped"


def _strategy_rows(path: Path) -> Iterator[Json]:
    """A row for every unit of a strategy, in a file of its own or in a cell; none for a cell without an allocation."""
    if "units" in read_json(path, "strategy or cell"):
        strategy = read_record(path, "strategy")
        axes = _place(path)
    else:
        cell = read_record(path, "cell")
        strategy = cell.get("strategy")
        if strategy is None:
            return
        own_task = is_zero_shot(cell["task"]) and strategy["found"].get("task") == cell["task"]
        axes = {name: cell[name] for name in _AXES} | {"model": cell["model"]["name"], "key": content_key(strategy)}
        axes |= {"task": cell["task"] if own_task else ""}
    axes |= _found(strategy) | {"achieved_sparsity": strategy["achieved_sparsity"]}
    for index, unit in enumerate(strategy["units"]):
        counts = {name: unit[name] for name in ("name", "kind", "size", "kept", "ratio")}
        yield axes | {"unit": index, "layer": int(unit["name"].split(".")[1])} | counts


def _curve_rows(path: Path) -> Iterator[Json]:
    """A row for every episode of the search that wrote a strategy file, from the curve beside it.

    Infinite perplexities become empty.
    """
    strategy, axes = read_record(path, "strategy"), _place(path)
    found = strategy["found"]
    uniform = found.get("uniform") or {}
    axes |= _found(strategy) | {
        "warm_start": (found.get("warm_start") or {}).get("sha256", ""),
        "dense_ppl": found.get("dense_ppl"),
        "uniform_ppl": uniform.get("ppl"),
        "uniform_reward": uniform.get("reward"),
        "gpus": strategy.get("run", {}).get("gpus"),
    }
    curve = path.with_suffix(".curve.csv")
    try:
        frame = pd.read_csv(curve, dtype=str, keep_default_na=False)
    except (FileNotFoundError, pd.errors.EmptyDataError) as error:
        raise SparsitySolverError(f"no curve at {curve}; search again.") from error
    missing = [column for column in EPISODE if column not in frame]
    if missing:
        raise SparsitySolverError(f"{curve} is not the curve of a search: column '{missing[0]}' is missing.")
    frame["ppl"] = frame["ppl"].replace(["inf", "nan"], "")
    for episode in frame[list(EPISODE)].to_dict("records"):
        yield axes | episode


def _place(path: Path) -> Json:
    """Which search a strategy file is, read from where it lies; the task is empty where all tasks share it."""
    try:
        model, name, sparsity, seed, target, _ = path.parts[-6:]
        axes = {"model": model, "method": name, "sparsity": float(sparsity), "seed": int(seed)}
    except ValueError as error:
        raise SparsitySolverError(
            f"{path} does not lie where searches do: MODEL/METHOD/SPARSITY/SEED/TARGET/KEY.json is needed."
        ) from error
    task = target if is_zero_shot(target) else ""
    return axes | {"label": method(name).label, "task": task, "key": path.stem}


def _found(strategy: Json) -> Json:
    algorithm, family = strategy["found"]["algorithm"], strategy["model"]["family"]
    return {"family": family, "granularity": strategy["granularity"], "algorithm": algorithm}


def _inference_rows(path: Path) -> list[Json]:
    """Rows of :func:`measured_rows`; of models that no pruner could make, a printed line says why."""
    record = read_finite(path, "inference")
    for entry in record["models"]:
        if entry["status"] == _SKIPPED:
            name = f"{record['model']['name']} {entry['method']} at sparsity {entry['sparsity']}"
            print(f"left out: {name}: {entry['reason']}")
    return measured_rows(record)


def measured_rows(record: Json) -> list[Json]:
    """A row for every model that an inference record measured."""
    protocol, provenance = record["protocol"], record["provenance"]
    devices = f"{protocol['devices']} x " if protocol["devices"] > 1 else ""
    shared = {name: protocol[name] for name in ("batch", "prompt_tokens", "new_tokens", "rounds", "dtype")}
    shared |= {"threads": provenance["threads"], "device": f"{devices}{provenance['device']}"}
    rows = []
    for entry in [entry for entry in record["models"] if entry["status"] != _SKIPPED]:
        row = {"model": record["model"]["name"]} | {axis: entry[axis] for axis in _AXES} | shared
        row |= {"parameters": entry["size"]["parameters"], "weight_bytes": entry["size"]["bytes"]}
        row |= {"peak_memory_bytes": entry["peak_memory_bytes"]}
        for phase in ("prefill", "decode"):
            ratio = entry["speedup"][phase]
            row |= {f"{phase}_{quantity}": value for quantity, value in entry[phase].items()}
            row |= {f"{phase}_speedup": ratio["value"]}
            row |= {f"{phase}_speedup_{end}": ratio[end] for end in ("low", "high")}
        rows.append(row)
    return rows


def _reconstruction_rows(path: Path) -> Iterator[Json]:
    """A row for every number of samples and choice of modules; without reconstruction 0 samples and 0 seconds."""
    record = read_finite(path, "reconstruction")
    points, times = record["points"], record["run"]["points"]
    if [(p["modules"], p["samples"]) for p in points] != [(t["modules"], t["samples"]) for t in times]:
        raise SparsitySolverError(f"{path} is not a whole study: its times are those of other points; make it again.")
    shared = {"model": record["model"]["name"], "sparsity": record["sparsity"], "seed": record["seed"]}
    shared["gpus"] = record["run"].get("gpus")  # how many it had, 0 on a CPU; older records do not say
    none = {"samples": 0, "tokens": 0, "ppl": record["sliced"]["value"], "seconds_per_module": 0.0}
    for modules in sorted({point["modules"] for point in points}):
        yield shared | none | {"modules": modules}
    for point, time in zip(points, times, strict=True):
        own = {name: point[name] for name in ("modules", "samples", "tokens")} | {"ppl": point["ppl"]["value"]}
        yield shared | own | {"seconds_per_module": time["seconds_per_module"]}


_STRATEGY = ("model", "family", "method", "label", "granularity", "algorithm", "sparsity", "seed", "task")
_SETTING = ("model", "method", "sparsity", "seed", "batch", "prompt_tokens", "new_tokens")
_POINT = ("model", "sparsity", "modules", "seed", "samples")
# A table's columns, the rows of a record's file, and the columns that these are sorted by; rows that are equal in the
# columns that come last are the same wherever they were found, and stand once.
_KINDS: dict[str, tuple[LongTable, Callable[[Path], Iterable[Json]], Sequence[str], Sequence[str]]] = {
    "strategies": (STRATEGIES, _strategy_rows, (*_STRATEGY, "key", "unit"), (*_STRATEGY, "unit", "kept")),
    "curves": (CURVES, _curve_rows, (), ()),
    "inference": (INFERENCE, _inference_rows, _SETTING, ()),
    "reconstruction": (RECONSTRUCTION, _reconstruction_rows, _POINT, ()),
}


def gather(kind: str, files: Sequence[Path], out: Path) -> None:
    """Write the rows of all files: the same bytes for the same files in any order.

    Raises:
        SparsitySolverError: a file is no valid record, or two are of the same measurement.
    """
    table, rows_of, order, shared = _KINDS[kind]
    rows = [row for path in sorted(set(map(Path, files))) for row in rows_of(path)]
    if shared:  # the first of each
        rows = list({tuple(row[name] for name in shared): row for row in reversed(rows)}.values())
    elif order:
        refuse_duplicates(rows, order, kind)
    write_rows(out, table.columns, sorted(rows, key=lambda row: [row[name] for name in order]))


strategies_command, curves_command, inference_command, reconstruction_command = (partial(gather, k) for k in _KINDS)
