"""Pruning jobs on tiny models."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny import logits, tiny_ids, tiny_tokenizer
from transformers import PreTrainedModel

from sparsitysolver.config.registry import MethodRow
from sparsitysolver.models.adapter import Adapter, adapt
from sparsitysolver.models.loading import LoadedModel, load_model
from sparsitysolver.models.saving import save_pruned
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.units import STRUCTURED, UNSTRUCTURED
from sparsitysolver.statistics.collect import ALL_TAPS, OUTPUT_TAPS, Moments, collect, layer_taps, recording


def job_for(
    model: PreTrainedModel,
    sparsity: float = 0.25,
    ids: np.ndarray | None = None,
    granularity: str = STRUCTURED,
    **fields,
) -> Job:
    """A job on a tiny model, calibrated on random ids, by the paper's criterion of its granularity."""
    unstructured = granularity == UNSTRUCTURED
    taps = ALL_TAPS if unstructured else OUTPUT_TAPS
    adapter = adapt(model)
    windows = tiny_ids(12, 16, seed=1) if ids is None else ids
    return Job(
        adapter=adapter,
        sparsity=sparsity,
        calibrate=lambda: collect(adapter, windows, "weights", "ids", taps),
        ids=lambda: windows,
        granularity=granularity,
        **{"reconstruction_ids": lambda: windows, "criterion": "wanda" if unstructured else "l2", **fields},
    )


def moments_of(inputs: torch.Tensor | np.ndarray) -> Moments:
    """Moments of inputs (tokens, channels)."""
    moments = Moments()
    moments.add(torch.as_tensor(inputs))
    return moments


def gram_moments(adapter: Adapter, ids: np.ndarray) -> dict[str, Moments]:
    """Moments with Gram matrices of every distinct input, of a plain forward pass."""
    layers = [(index, layer_taps(adapter, index)) for index in range(adapter.shape.layers)]
    modules = {f"layers.{index}.{tap}": module for index, taps in layers for tap, module in taps.items()}
    with recording(modules, gram=True) as moments, torch.no_grad():
        adapter.hidden_states(torch.from_numpy(ids).long())
    return moments


def run_row(row: MethodRow, model: PreTrainedModel, sparsity: float, ids: np.ndarray) -> tuple[Job, Any, Outcome]:
    """Allocate and prune as a methods row says; returns the job, the kept counts and the outcome."""
    pruner = import_module(f"baselines.{row.pruner}")
    job = job_for(
        model,
        sparsity,
        ids,
        granularity=row.granularity,
        options=dict(pair.split("=", 1) for pair in row.options.split(",") if pair),
        whole=getattr(pruner, "WHOLE", True),
        search=import_module("baselines.uniform").allocate,
    )
    for name in filter(None, (row.allocator, row.pruner)):
        skip = getattr(import_module(f"baselines.{name}"), "skip", None)
        assert skip is None or skip(job) is None
    kept = import_module(f"baselines.{row.allocator}").allocate(job) if row.allocator else None
    return job, kept, pruner.prune(job, kept)


def prune_and_reload(row: MethodRow, model: PreTrainedModel, sparsity: float, folder: Path) -> tuple[Job, LoadedModel]:
    """Prune as a methods row says to another, finite model, whose folder loads to the very same logits."""
    dense = logits(model)
    job, kept, outcome = run_row(row, model, sparsity, tiny_ids(12, 16, seed=1))
    assert kept is None or all(0 <= count <= unit.size for count, unit in zip(kept, job.units, strict=True))
    pruned = logits(model)
    assert pruned.isfinite().all() and torch.equal(pruned, dense) == (row.key == "dense")
    save_pruned(model, tiny_tokenizer(), outcome.structure, folder)
    loaded = load_model(str(folder), device="cpu")
    assert torch.equal(logits(loaded.model), pruned)
    return job, loaded
