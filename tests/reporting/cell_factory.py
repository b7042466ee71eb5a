"""Cells made to order: valid by the schema, with only what a test is about spelled out."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sparsitysolver.config.published import known_texts
from sparsitysolver.config.registry import metric_of
from sparsitysolver.config.tables import load_definition
from sparsitysolver.records.files import validate

PUBLISHED_TEXT = known_texts()[0]  # WikiText-2 raw test
WINDOWS = 200  # of cells with known losses
METHODS = [
    "dense",
    "slicegpt",
    "flap",
    "svd_llm",
    "sparsitysolver",
    "sparsitysolver_recon",
    "slicegpt_matched",
    "svd_llm_update",
    "uniform",
    "uniform_recon",
]
PUBLISHED_125M = dict(zip(METHODS, [27.64, 34.10, 34.45, 38.86, 31.44, 30.67, 35.0, 36.0, 37.0, 33.0], strict=True))


def make_cell(
    model: str = "opt-125m", method: str = "dense", value: float | None = 27.64, seed: int = 0, **changes: object
) -> dict:
    """A measured cell; without a value a skipped one. ``changes`` replace fields; those of the fingerprint merge."""
    fingerprint = {
        "dataset": "wikitext2",
        "revision": "r1",
        "text_sha256": PUBLISHED_TEXT.sha256,
        "split": "test",
        "join": "\n\n",
        "bos": "2",
        "seqlen": 2048,
        "tokens": PUBLISHED_TEXT.opt,
        "windows": 140,
        "dtype": "float32",
    }
    fingerprint.update(changes.pop("fingerprint", {}))
    cell = {
        "format": 1,
        "status": "ok",
        "model": {"name": model, "family": "opt", "weights_sha256": "w-" + model},
        "method": method,
        "label": method,
        "sparsity": 0.0 if method == "dense" else 0.2,
        "seed": seed,
        "task": "wikitext2",
        "split": "test",
        "metrics": {"ppl": {"value": value, "stderr": 0.5, "n": 140}},
        "fingerprint": fingerprint,
        "size": {
            "parameters": 125239296,
            "nonzeros": 125000000,
            "bytes": 500957184,
            "prunable_weights": 68000000,
            "prunable_nonzeros": 68000000,
            "prunable_dense": 85000000,
            "achieved_sparsity": 0.2,
            "extra_parameters": 0,
        },
        "calibration": {"source": "wikitext2", "tokens": 131072},
        "search": None,
        "leakage": {"calibrated_on_eval_domain": True, "searched_on_reported_split": False, "saw_task": False},
        "provenance": {
            "versions": {"torch": "2.8", "numpy": "2.3"},
            "commit": "abc1234",
            "device": "cpu",
            "threads": 1,
            "seeds": {"prune": 7},
        },
        "run": {"wall_seconds": 1.5, "peak_memory_bytes": 10},
    }
    if value is None:
        for field in ("metrics", "fingerprint", "size"):
            del cell[field]
        cell |= {"status": "skipped", "reason": "not supported"}
    cell |= changes
    validate(cell, "cell", "factory")
    return cell


def losses(offset: float = 0.0, spread: float = 0.0, windows: int = WINDOWS, seed: int = 0) -> list[float]:
    """Mean losses of windows: one hard text for all, a method's offset, and its own deviation from window to window."""
    common = np.random.default_rng(1).normal(3.0, 0.5, windows)
    return (common + offset + spread * np.random.default_rng(seed).standard_normal(windows)).round(8).tolist()


def text_cell(method: str, windows: Sequence[float], model: str = "opt-tiny", **changes: object) -> dict:
    """A perplexity cell with these losses of its windows."""
    ppl = float(np.exp(np.mean(windows)))
    return make_cell(model, method, windows=windows, metrics={"ppl": {"value": ppl, "n": len(windows)}}, **changes)


def make_grid(models: tuple[str, ...] = ("opt-125m",), **changes: object) -> list[dict]:
    """Every cell of Table 2 for some models, with the published values of OPT-125M."""
    return [make_cell(model, method, PUBLISHED_125M[method], **changes) for model in models for method in METHODS]


def replace_cell(cells: list[dict], new: dict) -> list[dict]:
    """A grid with one cell replaced by another of the same model, method, seed and task."""

    def axes(cell: dict) -> tuple:
        return cell["model"]["name"], cell["method"], cell["seed"], cell["task"]

    return [new if axes(cell) == axes(new) else cell for cell in cells]


def make_task_cell(task: str, method: str, correct: Sequence[int] | None, **changes: object) -> dict:
    """A cell of a zero-shot task with these items right (1) and wrong (0); without items a skipped one.

    Tasks scored by ``acc_norm`` get the opposite as ``acc``, so that a table with the wrong metric shows.
    """
    if correct is None:
        return make_cell(**{"model": "llama-tiny", "method": method, "value": None, "task": task, **changes})
    samples = {metric_of(task): list(correct), "loglikelihoods": [[-1.0, -2.0]] * len(correct)}
    if metric_of(task) == "acc_norm":
        samples["acc"] = [1 - right for right in correct]
    metrics = {
        metric: {"value": sum(samples[metric]) / len(correct), "stderr": 0.02, "n": len(correct)}
        for metric in samples
        if metric != "loglikelihoods"
    }
    part = str(changes.get("split", "report"))
    fingerprint = {
        "kind": "zero_shot",
        "dataset": "mini",
        "revision": "r1",
        "items_sha256": "i-" + task,
        "items": len(correct),
        "split": part,
        "task_version": "1.0",
        "harness": "lm_eval 0.4.13",
        "fewshot": 0,
        "batch_size": 8,
        "bos": "none",
        "seqlen": 256,
        "dtype": "float32",
        **changes.pop("fingerprint", {}),
    }
    cell = make_cell(
        **{"model": "llama-tiny", "method": method, "task": task, "split": part, "metrics": metrics} | changes
    )
    return cell | {"fingerprint": fingerprint, "samples": samples}


def make_task_grid(table: str, right: dict[str, list[int]], items: int = 20, **changes: object) -> list[dict]:
    """Every cell of a table of tasks: per task how many items each row has right, in order of the rows.

    Rows beyond the list have the last number. The items right are the first ones.
    """
    definition = load_definition(table)
    rows = (*definition.rows, *definition.extended)
    return [
        make_task_cell(
            task,
            row.method,
            first_right(numbers[min(position, len(numbers) - 1)], items),
            **{"sparsity": 0.0 if row.method == "dense" else definition.sparsities[0], **changes},
        )
        for task, numbers in right.items()
        for position, row in enumerate(rows)
    ]


def first_right(right: int, items: int) -> list[int]:
    """Items of which the first are right."""
    return [1] * right + [0] * (items - right)


def edit_rows(path: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    """Edit a collected table as by hand: its rows, all text."""
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(change(rows))
