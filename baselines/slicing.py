"""Structured pruning without repair: keep the best groups and neurons of every unit, drop the others."""

from sparsitysolver.models.structure import sliced_structure
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.scores import kept_indices
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn

NAME = "Slicing"
REFERENCE = "SparsitySolver, section 3.1: l2 norm of the activations as structured criterion"


def prune(job: Job, kept: list[int]) -> Outcome:
    """Slice every layer to its kept counts."""
    chosen = [kept_indices(scores, count) for scores, count in zip(job.scores, kept, strict=True)]
    for index in range(job.adapter.shape.layers):
        slice_attention(job.adapter, index, chosen[2 * index])
        slice_ffn(job.adapter, index, chosen[2 * index + 1])
    return Outcome(sliced_structure(kept[::2], kept[1::2]))
