"""Pruning jobs on tiny models."""

import numpy as np
from tiny import tiny_ids
from transformers import PreTrainedModel

from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.job import Job
from sparsitysolver.stages.common import taps_of
from sparsitysolver.statistics.collect import collect


def job_for(
    model: PreTrainedModel,
    sparsity: float = 0.25,
    ids: np.ndarray | None = None,
    granularity: str = "structured",
    **fields,
) -> Job:
    """A job on a tiny model, calibrated on random ids."""
    adapter = adapt(model)
    windows = tiny_ids(12, 16, seed=1) if ids is None else ids
    return Job(
        adapter=adapter,
        sparsity=sparsity,
        calibrate=lambda: collect(adapter, windows, "weights", "ids", taps_of(granularity)),
        ids=lambda: windows,
        reconstruction_ids=lambda: windows,
        granularity=granularity,
        **fields,
    )
