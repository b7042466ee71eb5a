"""Collected results made to order: whole CSV files as the collecting stages write them, with known values."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path

from result_factory import row_of

from sparsitysolver.config.registry import methods_table
from sparsitysolver.records import columns

STRUCTURED = ("uniform", "uniform_recon", "flap", "slicegpt", "slicegpt_matched", "svd_llm", "svd_llm_update")
OURS = ("sparsitysolver", "sparsitysolver_recon")
ROLES = ("q", "k", "v", "o", "gate", "up", "down")


def write(path: Path, rows: Iterable[dict]) -> Path:
    """Rows as a CSV file, as they are."""
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_whole(path: Path, rows: Iterable[dict]) -> Path:
    """Rows as a CSV file of the kind that its name says, with every column of it."""
    return write(path, [row_of(getattr(columns, path.stem.split("_")[0].upper()), **row) for row in rows])


def read(path: Path) -> list[dict]:
    """Rows of a CSV file, as text."""
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def label(method: str) -> str:
    """The printed name of a method, or its key where it has no row."""
    return methods_table()[method].label if method in methods_table() else method


def _axes(model: str, method: str, sparsity: float, seed: int) -> dict:
    axes = {"model": model, "family": "llama", "method": method, "label": label(method)}
    return axes | {"sparsity": sparsity, "seed": seed}


def cell_ppl(rank: int, sparsity: float, seed: int) -> float:
    """Perplexity of the method of that rank: the better, the lower its rank; seeds differ by a tenth."""
    return 5.0 * math.exp((1.0 + 0.5 * rank) * sparsity * 4) + 0.1 * seed


def cells(
    models: Sequence[str] = ("llama-tiny",),
    methods: Sequence[str] = (*OURS, *STRUCTURED),
    sparsities: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    seeds: int = 1,
) -> list[dict]:
    """Rows of ``cells.csv``: a method of rank r keeps (1 - 0.9 P) of 1000 parameters and 10 r more."""
    shared = {"task": "mini", "split": "test", "status": "ok", "reason": "", "metric": "ppl", "n": 10}
    rows = []
    for model in models:
        rows.append(_axes(model, "dense", 0.0, 0) | shared | {"value": 5.0, "parameters": 1000})
        for (rank, method), sparsity, seed in product(enumerate(methods), sparsities, range(seeds)):
            value = {"value": cell_ppl(rank, sparsity, seed), "parameters": 1000 * (1 - 0.9 * sparsity) + 10 * rank}
            rows.append(_axes(model, method, sparsity, seed) | shared | value)
    return rows


def inference(
    models: Sequence[str] = ("llama-tiny",),
    methods: Sequence[str] = ("slicegpt", "flap", "sparsitysolver_recon"),
    sparsities: Sequence[float] = (0.2,),
    seeds: int = 1,
    memory: bool = True,
) -> list[dict]:
    """Rows of ``inference.csv``: the dense model takes 0.1 s and 0.4 s; the next model of a grid four times as long.

    A method of rank r is 1 + P + r/10 times as fast; the interval of its speedup reaches 10% to either side.
    """
    pruned = product(enumerate(methods), sparsities, range(seeds))
    entries = [(0, "dense", 0.0, 0), *((rank, method, *axes) for (rank, method), *axes in pruned)]
    return [
        _inference_row(model, method, sparsity, seed, 1 + sparsity + rank / 10, 4**place, memory)
        for place, model in enumerate(models)
        for rank, method, sparsity, seed in entries
    ]


def _inference_row(
    model: str, method: str, sparsity: float, seed: int, speedup: float, scale: float, memory: bool
) -> dict:
    row = _axes(model, method, sparsity, seed)
    row |= {"batch": 1, "prompt_tokens": 128, "new_tokens": 32, "rounds": 7, "threads": 1, "device": "cpu"}
    row |= {"dtype": "float32", "parameters": 1000, "weight_bytes": 4000}
    for phase, seconds, tokens in (("prefill", 0.1 * scale, 128), ("decode", 0.4 * scale, 32)):
        time = seconds / speedup
        row |= {f"{phase}_seconds": time, f"{phase}_tokens_per_second": tokens / time, f"{phase}_speedup": speedup}
        wide = 0.0 if method == "dense" else 0.1
        row |= {f"{phase}_speedup_low": speedup * (1 - wide), f"{phase}_speedup_high": speedup * (1 + wide)}
    return row | {"peak_memory_bytes": 2**20 * 100 * scale / speedup if memory else ""}


def curve_ppl(rank: int, episode: int, seed: int) -> float:
    """Perplexity that falls with the episodes, more slowly at a higher rank, and swings by turns."""
    return (
        6.0 + rank + 8.0 * math.exp(-episode / (40 * (1 + rank))) + (0.4 + 0.3 * rank) * (episode % 3 - 1) + 0.3 * seed
    )


def curves(
    models: Sequence[str] = ("llama-tiny",),
    methods: Sequence[str] = ("sparsitysolver",),
    sparsity: float = 0.2,
    seeds: int = 1,
    episodes: int = 90,
    layers: int = 4,
    uniform: bool = True,
    ppl: Callable[[int, int, int], float] = curve_ppl,
) -> list[dict]:
    """Rows of ``curves.csv``; reward 10 / perplexity, uniform pruning at perplexity 8."""
    rows = []
    for model, (rank, method), seed in product(models, enumerate(methods), range(seeds)):
        own = _axes(model, method, sparsity, seed)
        own |= {"key": f"{model}-{method}-{seed}", "algorithm": "ppo", "granularity": "structured"}
        own |= {"task": "", "warm_start": "", "dense_ppl": 5.0}
        own |= {"uniform_ppl": 8.0 if uniform else "", "uniform_reward": 1.25 if uniform else ""}
        for episode in range(episodes):
            value = ppl(rank, episode, seed)
            kept = [kept_count(unit, episode, size) for unit, size in enumerate([8, 160] * layers)]
            reward = 10 / value if math.isfinite(value) else 0.0
            scored = {"ppl": value if math.isfinite(value) else "", "reward": reward, "kept": json.dumps(kept)}
            rows.append(own | scored | {"episode": episode, "tokens": 1024, "seconds": 0.1})
    return rows


def kept_count(unit: int, episode: int, size: int) -> int:
    """Kept items of a unit, the same at no two of the first episodes."""
    return size // 2 + (unit * 3 + episode * 7) % (size // 2 + 1)


def ratio(unit: int, seed: int) -> float:
    """Preserved ratio of a unit, between 0.5 and 0.9."""
    return 0.5 + 0.1 * ((unit * 7 + unit // 5 + seed) % 5)


def strategies(
    models: Sequence[str] = ("llama-tiny",),
    methods: Sequence[str] = ("sparsitysolver",),
    sparsity: float = 0.2,
    seeds: int = 1,
    layers: int = 4,
    granularity: str = "structured",
) -> list[dict]:
    """Rows of ``strategies.csv``; attention has 8 groups, an FFN 160 neurons, a matrix 64 columns."""
    kinds = (("mha", 8), ("ffn", 160)) if granularity == "structured" else tuple((role, 64) for role in ROLES)
    rows = []
    for model, (rank, method), seed in product(models, enumerate(methods), range(seeds)):
        own = _axes(model, method, sparsity, seed) | {"key": f"{model}-{method}-{sparsity}-{seed}"}
        own |= {"granularity": granularity, "algorithm": "ppo", "task": "", "achieved_sparsity": sparsity}
        for unit, (layer, (kind, size)) in enumerate(product(range(layers), kinds)):
            value = ratio(unit if rank == 0 else layer, seed)
            place = {"unit": unit, "name": f"layers.{layer}.{kind}", "kind": kind, "layer": layer}
            rows.append(own | place | {"size": size, "kept": round(value * size), "ratio": value})
    return rows


def anytime(
    models: Sequence[str] = ("llama-tiny",), algorithms: Sequence[str] = ("ppo", "cma", "random"), seeds: int = 1
) -> list[dict]:
    """Rows of ``anytime_arena.csv``: perplexity 8 + rank - share, seeds a tenth apart; uniform pruning at 9."""
    return [
        {"algorithm": key, "label": label(key), "model": model, "granularity": "structured"}
        | {"sparsity": 0.2, "seed": seed, "share": share, "tokens": 1000 * share}
        | {"validation_ppl": 8 + rank - share + 0.1 * seed, "uniform_ppl": 9.0, "dense_ppl": 5.0}
        for model, (rank, key), seed, share in product(models, enumerate(algorithms), range(seeds), (0.25, 0.5, 1.0))
    ]


def reconstruction(
    models: Sequence[str] = ("llama-tiny",),
    samples: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128),
    seeds: int = 1,
    modules: Sequence[str] = ("mha", "ffn", "both"),
) -> list[dict]:
    """Rows of ``reconstruction.csv``: perplexity 10 - rank + 4 / samples, seeds a tenth apart."""
    return [
        {"model": model, "sparsity": 0.3, "modules": kind, "samples": count, "tokens": 128 * count, "seed": seed}
        | {"ppl": 10 - rank + (4 / count if count else 8) + 0.1 * seed, "seconds_per_module": 0.01 * (1 + rank) * count}
        for model, (rank, kind), count, seed in product(models, enumerate(modules), samples, range(seeds))
    ]


def small_results(folder: Path) -> Path:
    """Everything the figures read, small: one model more or less, one seed."""
    two = ("llama-tiny", "opt-tiny")
    figure6 = ("ppo", "amc", "amc_broadcast", "agmc")
    pairs = ("sparsitysolver_unstructured", "owl")
    seeds = strategies(sparsity=0.3, seeds=4)
    files = {
        "anytime_arena": anytime(),
        "cells_figure3": cells(),
        "inference_figure3": inference(sparsities=(0.1, 0.2, 0.3, 0.4, 0.5)),
        "strategies_figure4": strategies(two, pairs, 0.7, granularity="unstructured") + strategies(two),
        "reconstruction_figure5": reconstruction(),
        "curves_figure6": curves(methods=figure6),
        "curves_figure7": curves(methods=("sparsitysolver_reuse", "sparsitysolver"), sparsity=0.3),
        **{f"curves_figure{number}": curves() for number in (8, 9, 10)},
        "strategies_figure11": seeds + strategies(two),
        "strategies_figure12": strategies(two, pairs, 0.7, granularity="unstructured"),
        "curves_figure13": curves(),
        "strategies_figure13": strategies(),
        "inference_figure14": inference(),
    }
    for name, rows in files.items():
        write_whole(folder / f"{name}.csv", rows)
    return folder
