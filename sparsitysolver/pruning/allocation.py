"""Closed-form allocations: one density per decoder layer from one importance per layer, such as its Wanda scores."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.masks import check_scores
from sparsitysolver.pruning.scores import criterion
from sparsitysolver.pruning.units import UNSTRUCTURED, columns_at
from sparsitysolver.statistics.collect import tap_of

LEAST_SPARSITY = 0.01  # OWL's code sets layers that would have none to this


def layer_scores(job: Job) -> Iterator[torch.Tensor]:
    """The dense model's scores of all matrices of a layer in one vector (float32, on the CPU), a layer at a time."""
    score = criterion(UNSTRUCTURED, job.criterion)
    for index, layer in enumerate(job.adapter.layers):
        parts = []
        for role, linear in layer.linears.items():
            scores = score(linear.weight.detach(), job.statistics.of(index, tap_of(role)))
            parts.append(check_scores(scores, f"layers.{index}.{role}").flatten().cpu())
        yield torch.cat(parts)


def spread_sparsities(importance: Sequence[float], half_range: float, sparsity: float) -> np.ndarray:
    """Layer sparsities (layers,) of mean ``sparsity`` that span ``2 * half_range``, lowest where importance is highest.

    OWL's normalisation (section 3.3, and its code): densities are importances scaled to a range of 2λ and shifted to
    the mean 1 - P. The mean is exact unless a layer had to be kept within [0.01, 1]. Equal importances give the same
    sparsity everywhere.
    """
    values = np.asarray(importance, dtype=float)
    span = values.max() - values.min()
    if span == 0:
        return np.full(len(values), sparsity)
    scaled = 2 * half_range * (values - values.min()) / span
    sparsities = 1 - (scaled - scaled.mean() + 1 - sparsity)
    return np.clip(np.where(sparsities <= 0, LEAST_SPARSITY, sparsities), 0, 1)


def spread(job: Job, importance: Sequence[float], half_range: float) -> list[float]:
    """Kept columns of every matrix at its layer's sparsity (:func:`spread_sparsities`), as the pruner takes them."""
    sparsities = spread_sparsities(importance, half_range, job.sparsity)
    # Rounding first: 0.3 computed as 0.30000000000000004 must not cost a row one weight more than 0.3 would.
    return columns_at(job.units, [round(float(sparsities[unit.layer]), 12) for unit in job.units], job.whole)
