"""Pruning jobs on tiny models."""

import numpy as np
from tiny import tiny_ids
from transformers import PreTrainedModel

from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.units import STRUCTURED, UNSTRUCTURED
from sparsitysolver.statistics.collect import ALL_TAPS, OUTPUT_TAPS, collect


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
