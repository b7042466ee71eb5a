"""Wanda scores of whole decoder layers under the dense model's statistics, for allocators that compare layers."""

from collections.abc import Iterator

import torch

from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.masks import check_scores
from sparsitysolver.pruning.matrix_scores import matrix_criterion
from sparsitysolver.statistics.collect import tap_of


def layer_scores(job: Job) -> Iterator[torch.Tensor]:
    """The scores of all matrices of a layer in one vector (float32, on the CPU), one layer at a time."""
    score = matrix_criterion(job.criterion)
    for index, layer in enumerate(job.adapter.layers):
        parts = []
        for role, linear in zip(job.adapter.roles(), layer.linears, strict=True):
            scores = score(linear.weight.detach(), job.statistics.of(index, tap_of(role)))
            parts.append(check_scores(scores, f"layers.{index}.{role}").flatten().cpu())
        yield torch.cat(parts)
