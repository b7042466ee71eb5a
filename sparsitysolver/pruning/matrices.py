"""Going through a model matrix by matrix, each layer on what the pruned layers before it give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.units import Unit
from sparsitysolver.statistics.collect import layer_taps, tap_of
from sparsitysolver.statistics.moments import Moments
from sparsitysolver.statistics.replay import LayerReplay


@dataclass(frozen=True)
class Matrix:
    """One weight matrix to prune: its unit, the linear that holds it, the moments of its input, its kept columns.

    ``kept`` is whole unless the pruner says otherwise (``WHOLE = False``).
    """

    unit: Unit
    linear: nn.Module
    moments: Moments
    kept: float

    @property
    def weight(self) -> torch.Tensor:
        """The weight (rows, columns) as it stands."""
        return self.linear.weight.detach()

    def set(self, weight: torch.Tensor) -> None:
        """Put a new weight of the same shape in place."""
        self.linear.weight.data.copy_(weight)


def prune_sequentially(
    job: Job, kept: Sequence[float], change: Callable[[Matrix], torch.Tensor], gram: bool = False
) -> None:
    """Replace every matrix by ``change(matrix)``, layer by layer on the pruned prefix (Wanda, SparseGPT).

    All matrices of a layer see moments of the layer as it was before any of them changed.
    """
    replay = LayerReplay(job.adapter, job.ids())
    layers = job.adapter.shape.layers
    for index in range(layers):
        job.progress(f"prune layer {index + 1}/{layers}")
        moments = replay.observe(index, layer_taps(job.adapter, index), gram)
        for matrix in _matrices(job, kept, index, lambda tap: moments[tap]):  # noqa: B023 - used within the loop
            matrix.set(change(matrix))
        replay.advance(index)


def prune_statically(job: Job, kept: Sequence[float], change: Callable[[Matrix], torch.Tensor]) -> None:
    """Replace every matrix by ``change(matrix)``, with the dense model's statistics throughout."""
    for index in range(job.adapter.shape.layers):
        for matrix in _matrices(job, kept, index, lambda tap: job.statistics.of(index, tap)):  # noqa: B023
            matrix.set(change(matrix))


def _matrices(job: Job, kept: Sequence[float], index: int, moments: Callable[[str], Moments]) -> list[Matrix]:
    roles = job.adapter.roles()
    first = index * len(roles)
    linears = job.adapter.layers[index].linears
    return [
        Matrix(job.units[first + place], linear, moments(tap_of(role)), kept[first + place])
        for place, (role, linear) in enumerate(zip(roles, linears, strict=True))
    ]
