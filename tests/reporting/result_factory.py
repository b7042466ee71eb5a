"""Collected results made to order: the files beside ``cells.csv``, with the columns that the pipeline writes."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.records.columns import CURVES, INFERENCE, NUMBER, RECONSTRUCTION, STRATEGIES, LongTable
from sparsitysolver.reporting.claims.results import Results, read_results

TABLES = {"curves": CURVES, "strategies": STRATEGIES, "inference": INFERENCE, "reconstruction": RECONSTRUCTION}


def row_of(table: LongTable, **fields: object) -> dict:
    """A row with every column of a long table; what a test is not about is empty, or 1 where a number is needed."""
    return {name: 1 if holds == NUMBER else "" for name, holds in table.columns.items()} | fields


def _frame(kind: str, rows: Sequence[dict]) -> pd.DataFrame:
    return pd.DataFrame([row_of(TABLES[kind], **row) for row in rows])


def curve(
    method: str,
    rewards: Sequence[float],
    model: str = "opt-tiny",
    seed: int = 0,
    sparsity: float = 0.2,
    kept: Sequence[Sequence[int]] | None = None,
    **fields: object,
) -> pd.DataFrame:
    """A search with these rewards, episode by episode; a reward of 0 is a broken candidate's."""
    shared = {"model": model, "family": "opt", "method": method, "seed": seed, "sparsity": sparsity}
    shared |= {"key": f"{model}-{method}-{sparsity}-{seed}", "seconds": 0.5, "dense_ppl": 2.0} | fields
    return _frame(
        "curves",
        [
            shared
            | {"episode": episode, "reward": reward, "ppl": 10 / reward if reward else ""}
            | {"kept": json.dumps([4, 4] if kept is None else list(kept[episode]))}
            for episode, reward in enumerate(rewards)
        ],
    )


def strategy(
    method: str,
    ratios: Sequence[Sequence[float]],
    model: str = "opt-tiny",
    seed: int = 0,
    sparsity: float = 0.2,
    family: str = "opt",
) -> pd.DataFrame:
    """A strategy with these ratios of every layer's units."""
    shared = {"model": model, "family": family, "method": method, "seed": seed, "sparsity": sparsity}
    units = [(layer, place, ratio) for layer, of_layer in enumerate(ratios) for place, ratio in enumerate(of_layer)]
    return _frame(
        "strategies",
        [
            shared | {"unit": number, "name": f"layers.{layer}.{place}", "layer": layer, "ratio": ratio}
            for number, (layer, place, ratio) in enumerate(units)
        ],
    )


def speed(
    method: str, speedup: float, low: float | str, high: float | str, model: str = "opt-tiny", batch: int = 1
) -> pd.DataFrame:
    """A model measured at one setting, prefill and decode alike."""
    row = {"model": model, "method": method, "sparsity": 0.0 if method == "dense" else 0.2, "seed": 0, "batch": batch}
    row |= {"prompt_tokens": 64, "new_tokens": 32, "threads": 1, "device": "cpu", "dtype": "float32"}
    for phase in ("prefill", "decode"):
        row |= {f"{phase}_speedup": speedup, f"{phase}_speedup_low": low, f"{phase}_speedup_high": high}
    return _frame("inference", [row])


def study(ppl: dict[int, float], modules: str = "mha", **fields: object) -> pd.DataFrame:
    """A series of the reconstruction study: perplexity by number of samples."""
    shared = {"model": "opt-tiny", "sparsity": 0.3, "modules": modules, "seed": 0, "seconds_per_module": 0.5} | fields
    return _frame("reconstruction", [shared | {"samples": samples, "ppl": value} for samples, value in ppl.items()])


def write_results(folder: Path, **frames: Sequence[pd.DataFrame]) -> Path:
    """Write some of the files into a results folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, parts in frames.items():
        pd.concat(parts).to_csv(folder / f"{kind}.csv", index=False)
    return folder


def results_of(folder: Path, grid: str = "tiny", **frames: Sequence[pd.DataFrame]) -> Results:
    """Results read back from files."""
    return read_results(write_results(folder, **frames), grid)


def climb(start: float, end: float, at: int, episodes: int) -> list[float]:
    """Rewards that rise in a straight line until an episode and stay there."""
    return np.interp(np.arange(episodes), [0, at], [start, end]).tolist()


OURS_BEATS_FLAP = {
    "kind": "paired",
    "measure": "quality",
    "table": "table2",
    "method": "sparsitysolver_recon",
    "than": ["flap"],
}


def claim_entry(test: object = OURS_BEATS_FLAP, **fields: object) -> dict:
    """An entry of a claims file."""
    return {"id": "a", "claim": "Ours beats FLAP.", "section": "4.1", "source": "Table 2", "test": test} | fields
