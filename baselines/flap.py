"""FLAP: prune what fluctuates least around its mean, and let an output bias carry the mean on."""

import torch
from torch import nn

from sparsitysolver.models.structure import sliced_structure
from sparsitysolver.pruning.fluctuation import compensated_bias, global_counts, standardise
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.scores import channels_of, fluctuation, group_scores, kept_indices
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn
from sparsitysolver.statistics.collect import OUTPUT_TAPS

NAME = "FLAP"
REFERENCE = "An et al., AAAI 2024: WIFV, adaptive across layers and modules (AL-AM), bias compensation"


def allocate(job: Job) -> list[int]:
    """One ranking over all groups and neurons by standardised WIFV; a unit may lose everything.

    A group weighs against a neuron what it really holds (the published code: a constant for LLaMA-7B).
    """
    scores, width = [], job.adapter.shape.group_channels
    for index in range(job.adapter.shape.layers):
        attention, ffn = (standardise(channel) for channel in _channel_scores(job, index))
        scores += [group_scores(attention, width) / width, ffn]
    return global_counts(scores, [unit.weights_per_item for unit in job.units], job.sparsity)


def prune(job: Job, kept: list[int]) -> Outcome:
    """Keep the highest WIFV of every unit and add the removed channels' mean output to the output biases."""
    adapter = job.adapter
    channels_per_group = adapter.shape.group_channels
    added = 0
    for index in range(adapter.shape.layers):
        attention, ffn = _channel_scores(job, index)
        groups = kept_indices(group_scores(attention, channels_per_group), kept[2 * index])
        neurons = kept_indices(ffn, kept[2 * index + 1])
        added += _compensate(job, index, "attention_output", channels_of(groups, channels_per_group))
        added += _compensate(job, index, "ffn_output", neurons)
        slice_attention(adapter, index, groups)
        slice_ffn(adapter, index, neurons)
    return Outcome(sliced_structure(kept[::2], kept[1::2], biases=(True, True)), {"extra_parameters": added})


def _channel_scores(job: Job, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """WIFV of the input channels of both output projections of a layer, squared for the attention."""
    attention, ffn = (
        fluctuation(linear.weight.detach().cpu(), job.statistics.of(index, tap).cpu())
        for tap, linear in job.adapter.layers[index].linears.items()
        if tap in OUTPUT_TAPS
    )
    return attention.square(), ffn


def _compensate(job: Job, index: int, tap: str, kept: torch.Tensor) -> int:
    """Give one output projection, still unpruned, its new bias; returns how many parameters that adds."""
    linear = getattr(job.adapter.layers[index], tap)
    added = 0 if linear.bias is not None else linear.weight.shape[0]
    bias = compensated_bias(linear.weight, linear.bias, job.statistics.of(index, tap).mean, kept)
    linear.bias = nn.Parameter(bias, requires_grad=False)
    return added
