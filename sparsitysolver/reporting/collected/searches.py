"""Rows of ``strategies.csv`` and ``curves.csv``: what searches found, and every episode of theirs (no torch)."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import is_zero_shot, method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import EPISODE
from sparsitysolver.records.files import Json, content_key, read_json, read_record


def strategy_rows(path: Path) -> Iterator[Json]:
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
        axes = {name: cell[name] for name in ("method", "label", "sparsity", "seed")}
        axes |= {"model": cell["model"]["name"], "task": cell["task"] if own_task else ""}
        axes |= {"key": content_key(strategy)}
    axes |= _found(strategy) | {"achieved_sparsity": strategy["achieved_sparsity"]}
    for index, unit in enumerate(strategy["units"]):
        counts = {name: unit[name] for name in ("name", "kind", "size", "kept", "ratio")}
        yield axes | {"unit": index, "layer": int(unit["name"].split(".")[1])} | counts


def curve_rows(path: Path) -> Iterator[Json]:
    """A row for every episode of the search that wrote a strategy file, from the curve beside it."""
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
    for episode in _episodes(path.with_suffix(".curve.csv")):
        yield axes | episode


def _place(path: Path) -> Json:
    """Which search a strategy file is, read from where it lies; the task is empty where all tasks share it.

    Raises:
        SparsitySolverError: the path does not end as those of searches do.
    """
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


def _episodes(path: Path) -> list[Json]:
    """The curve file of a search as texts; infinite perplexities become empty."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (FileNotFoundError, pd.errors.EmptyDataError) as error:
        raise SparsitySolverError(f"no curve at {path}; search again.") from error
    missing = [column for column in EPISODE if column not in frame]
    if missing:
        raise SparsitySolverError(f"{path} is not the curve of a search: column '{missing[0]}' is missing.")
    frame["ppl"] = frame["ppl"].replace(["inf", "nan"], "")
    return frame[list(EPISODE)].to_dict("records")
