"""Going through a model matrix by matrix, each layer on what the pruned layers before it give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.units import Unit
from sparsitysolver.statistics.collect import Moments, layer_taps, tap_of
from sparsitysolver.statistics.replay import LayerReplay


@dataclass(frozen=True)
class Matrix:
    """One weight matrix to prune: its unit, the linear that holds it, the moments of its input, its kept columns."""

    unit: Unit
    linear: nn.Module
    moments: Moments
    kept: float  # whole unless the pruner says otherwise (``WHOLE = False``)

    @property
    def weight(self) -> torch.Tensor:
        """The weight (rows, columns) as it stands."""
        return self.linear.weight.detach()


def prune_matrices(
    job: Job, kept: Sequence[float], change: Callable[[Matrix], torch.Tensor], gram: bool = False, static: bool = False
) -> None:
    """Replace every matrix by ``change(matrix)``, layer by layer on the pruned prefix (Wanda, SparseGPT).

    All matrices of a layer see moments of the layer as it was before any of them changed; where ``static``, the dense
    model's throughout.
    """
    replay = None if static else LayerReplay(job.adapter, job.ids())
    for index, layer in enumerate(job.adapter.layers):
        first = index * len(layer.linears)
        if replay is not None:
            job.progress(f"prune layer {index + 1}/{job.adapter.shape.layers}")
            moments = replay.observe(index, layer_taps(job.adapter, index), gram)
        for place, (role, linear) in enumerate(layer.linears.items(), first):
            tap = tap_of(role)
            seen = job.statistics.of(index, tap) if replay is None else moments[tap]
            matrix = Matrix(job.units[place], linear, seen, kept[place])
            linear.weight.data.copy_(change(matrix))
        if replay is not None:
            replay.advance(index)
