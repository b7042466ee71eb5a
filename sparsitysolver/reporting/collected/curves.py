"""``curves.csv``: every episode of every search, with what its reward windows give for the dense and uniform model."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json, read_record
from sparsitysolver.reporting.collected.long_tables import Contract, read_long
from sparsitysolver.reporting.collected.places import place_of
from sparsitysolver.reporting.collected.rows import write_rows

AXES = (
    "key",
    "model",
    "family",
    "method",
    "label",
    "algorithm",
    "granularity",
    "sparsity",
    "seed",
    "task",
    "warm_start",
)
EPISODE = ("episode", "ppl", "reward", "kept", "tokens", "seconds")
REFERENCES = ("dense_ppl", "uniform_ppl", "uniform_reward")
RUN = ("gpus",)  # how many a search had: its seconds count so many times; 0 on a CPU
COLUMNS = (*AXES, *EPISODE, *REFERENCES, *RUN)
_NUMBERS = ("sparsity", "seed", "episode", "reward", "tokens", "seconds")
CONTRACT = Contract(
    what="search curves",
    texts=tuple(name for name in (*AXES, *EPISODE) if name not in ("ppl", *_NUMBERS)),
    numbers=_NUMBERS,
    # Searches rewarded on a task measure no perplexity, and one that is not finite is written as inf by the search.
    optional=("ppl", *REFERENCES),
)


def curves_command(files: Sequence[Path], out: Path) -> None:
    """``report curves``: the curves beside these strategy files, in one long table."""
    rows = [row for path in sorted({Path(path) for path in files}) for row in _rows(path)]
    write_rows(out, COLUMNS, rows)


def read_curves(path: Path) -> pd.DataFrame:
    """``curves.csv`` as a frame; a perplexity that was not finite is empty there."""
    return read_long(path, CONTRACT)


def _rows(path: Path) -> list[Json]:
    strategy, place = read_record(path, "strategy"), place_of(path)
    found = strategy["found"]
    uniform = found.get("uniform") or {}
    axes = {
        "key": place.key,
        "model": place.model,
        "family": strategy["model"]["family"],
        "method": place.method,
        "label": method(place.method).label,
        "algorithm": found["algorithm"],
        "granularity": strategy["granularity"],
        "sparsity": place.sparsity,
        "seed": place.seed,
        "task": place.task,
        "warm_start": (found.get("warm_start") or {}).get("sha256", ""),
        "dense_ppl": found.get("dense_ppl"),
        "uniform_ppl": uniform.get("ppl"),
        "uniform_reward": uniform.get("reward"),
        "gpus": strategy.get("run", {}).get("gpus"),
    }
    return [axes | episode for episode in _episodes(path.with_suffix(".curve.csv"))]


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
