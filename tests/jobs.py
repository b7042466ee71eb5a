"""Pruning jobs on tiny models."""

from importlib import import_module
from typing import Any

import numpy as np
import torch
from tiny import tiny_ids
from transformers import PreTrainedModel

from sparsitysolver.config.registry import MethodRow
from sparsitysolver.models.adapter import Adapter, adapt
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.units import STRUCTURED, UNSTRUCTURED
from sparsitysolver.statistics.collect import ALL_TAPS, OUTPUT_TAPS, collect, recording, tap_modules
from sparsitysolver.statistics.moments import Moments


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


def gram_moments(adapter: Adapter, ids: np.ndarray) -> dict[str, Moments]:
    """Moments with Gram matrices of every distinct input, of a plain forward pass."""
    with recording(tap_modules(adapter, ALL_TAPS), gram=True) as moments, torch.no_grad():
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
