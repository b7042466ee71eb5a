"""Structured pruning with compensation through reconstruction, layer by layer on the already repaired prefix."""

import torch

from sparsitysolver.models.structure import sliced_structure
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.reconstruction import RIDGE, reconstruct
from sparsitysolver.pruning.scores import channels_of
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn
from sparsitysolver.statistics.replay import LayerReplay

NAME = "Reconstruction"
REFERENCE = "SparsitySolver, section 3.2, equations 3-10 (ridge regression of removed on kept channels)"


def prune(job: Job, kept: list[int]) -> Outcome:
    """Slice every layer, folding removed channels into the kept columns of the module's last linear.

    Attention before FFN of the same layer; inputs come from the pruned and reconstructed prefix, targets from the
    module's own weights before pruning (design: decision 7; resolutions 20 to 23 of the paper's ambiguities).
    """
    adapter, selection = job.adapter, job.selection
    ridge = job.option("ridge", RIDGE)
    replay = LayerReplay(adapter, job.reconstruction_ids())
    for index in range(adapter.shape.layers):
        job.progress(f"reconstruct layer {index + 1}/{adapter.shape.layers}")
        groups = selection.kept(2 * index, kept[2 * index])
        channels = channels_of(groups, adapter.shape.group_channels)
        weight = _repaired(replay, index, "attention_output", channels, ridge)
        slice_attention(adapter, index, groups, weight)
        neurons = selection.kept(2 * index + 1, kept[2 * index + 1])
        weight = _repaired(replay, index, "ffn_output", neurons, ridge)
        slice_ffn(adapter, index, neurons, weight)
        replay.advance(index)
    return Outcome(sliced_structure(kept[::2], kept[1::2]), {"ridge": ridge})


def _repaired(replay: LayerReplay, index: int, tap: str, channels: torch.Tensor, ridge: float) -> torch.Tensor:
    """New weight (hidden, kept) of one output projection of layer ``index``."""
    linear = getattr(replay.adapter.layers[index], tap)
    gram = replay.observe(index, {tap: linear})[tap].gram
    return reconstruct(linear.weight, gram, channels.to(linear.weight.device), ridge)
