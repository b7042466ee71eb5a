"""Searches made to order: a strategy file and its curve where the pipeline puts them."""

import csv
import json
from pathlib import Path

from sparsitysolver.records.files import write_record
from sparsitysolver.search.journal import CURVE

# What a search of the PPO agent with the paper's settings says of itself.
AGENT = {
    "learning_rate": 5e-4,
    "actor_hidden": [256, 256],
    "critic_hidden": [64, 64],
    "optimizer": "Adam",
    "episodes_per_update": 15,
    "epochs": 10,
    "clip_range": 0.2,
    "initial_log_std": -0.5,
    "entropy_coefficient": 0.0,
    "value_coefficient": 0.5,
    "max_gradient_norm": 0.5,
}
FOUND = {
    "agent": AGENT,
    "episodes": 3000,
    "reward": "inverse_ppl",
    "reward_split": "validation",
    "reward_windows": 8,
    "rescore_windows": 32,
    "rescore_top": 5,
    "budget": "greedy",
    "criterion": "l2",
    "a_min": 0.5,
    "a_max": 1.0,
}


def make_strategy_record(kept=(2, 6), sizes=(4, 8), **changes) -> dict:
    """A strategy of one layer; ``found`` merges."""
    found = {"algorithm": "ppo", "dense_ppl": 2.0, "uniform": {"ppl": 3.0, "reward": 10 / 3}} | changes.pop("found", {})
    units = [
        {"name": f"layers.{index // 2}.{kind}", "kind": kind, "size": size, "kept": count, "ratio": count / size}
        for index, (kind, size, count) in enumerate(zip(("mha", "ffn"), sizes, kept, strict=True))
    ]
    return {
        "format": 1,
        "model": {"name": "tiny", "family": "opt", "weights_sha256": "w"},
        "granularity": "structured",
        "target_sparsity": 0.2,
        "achieved_sparsity": 0.21,
        "units": units,
        "found": found,
        "seed": 1,
        **changes,
    }


def write_search(
    results: Path,
    ppls=(4.0, 3.0),
    *,
    model="m",
    method="sparsitysolver",
    sparsity="0.2",
    seed="0",
    target="any",
    **changes,
) -> Path:
    """A finished search: strategy and curve; returns the strategy's path."""
    path = results / "strategies" / model / method / sparsity / seed / target / "0123456789abcdef.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_record(path, make_strategy_record(**changes), "strategy")
    with path.with_suffix(".curve.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(CURVE)
        for episode, ppl in enumerate(ppls):
            writer.writerow([episode, repr(float(ppl)), repr(10 / ppl), json.dumps([2, 6]), 64, 0.5 + episode])
    return path
