"""FLAP: the global threshold on a case worked by hand, exact compensation, counts and shapes."""

import math

import numpy as np
import pytest
import torch
from jobs import job_for
from tiny import assert_generates_alike, logits, tiny_ids, tiny_model

from baselines import flap
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.fluctuation import compensated_bias, global_counts, standardise
from sparsitysolver.pruning.units import achieved_sparsity


def test_standardise_by_hand():
    # mean 3, unbiased variance (4 + 1 + 0 + 9) / 3 would be wrong with n: 14 / 3
    scores = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.double)
    assert torch.allclose(standardise(scores), (scores - 3) / math.sqrt(14 / 3))


@pytest.mark.parametrize("scores", [torch.full((7,), 0.1).double(), torch.zeros(5), torch.ones(1), torch.zeros(0)])
def test_equal_scores_standardise_to_zero(scores):
    assert torch.equal(standardise(scores), torch.zeros_like(scores))


def test_global_counts_by_hand():
    # Ranked: group 2.0 (4 weights), neuron 1.5, neuron 1.0, group 0.5 (4), neuron 0.2, neuron -1 (1 each): 12 in all.
    groups, neurons = torch.tensor([0.5, 2.0]), torch.tensor([1.0, -1.0, 1.5, 0.2])
    # Cumulative 0, 4, 5, 6, 10, 11, 12.
    assert global_counts([groups, neurons], [4, 1], 0.5) == [1, 2]  # 6 of 6
    assert global_counts([groups, neurons], [4, 1], 0.25) == [2, 2]  # 10 is nearest to 9
    assert global_counts([groups, neurons], [4, 1], 0.9) == [0, 0]  # 0 is nearest to 1.2
    assert global_counts([groups, neurons], [4, 1], 0.75) == [1, 0]  # 4 is nearest to 3
    # A unit may lose everything.
    assert global_counts([torch.tensor([-5.0, -6.0]), torch.tensor([1.0, 2.0])], [1, 1], 0.5) == [0, 2]


def test_compensation_is_exact_for_constant_channels():
    torch.manual_seed(0)
    weight, bias, inputs = torch.randn(3, 5), torch.randn(3), torch.randn(20, 5)
    inputs[:, [1, 4]] = torch.tensor([0.7, -2.0])
    kept = torch.tensor([0, 2, 3])
    for old in (bias, None):
        new = compensated_bias(weight, old, inputs.mean(dim=0), kept)
        dense = torch.nn.functional.linear(inputs, weight, old)
        assert torch.allclose(inputs[:, kept] @ weight[:, kept].T + new, dense, atol=1e-6)


def test_pruning_a_constant_neuron_changes_nothing(family):
    """Neurons whose output is the same for every token fluctuate by 0: they go first and leave no trace."""
    model = tiny_model(family)
    adapter = adapt(model)
    for layer in adapter.layers:
        for linear in layer.ffn_inputs:
            linear.weight[:5] = 0
            if linear.bias is not None:
                linear.bias[:5] = 1.5
    dense = logits(model)
    shape = adapter.shape
    # Calibrated on the very windows compared: OPT's ReLU has dead neurons elsewhere, which are as constant as these.
    flap.prune(job_for(model, ids=tiny_ids(seed=99)), [shape.groups, shape.ffn - 5] * shape.layers)
    assert adapter.layers[0].ffn_output.weight.shape[1] == shape.ffn - 5
    assert (logits(model) - dense).abs().max() <= 1e-5


def test_everything_removed_leaves_the_mean_output(family):
    model = tiny_model(family)
    adapter = adapt(model)
    job = job_for(model)
    mean = job.statistics.of(1, "attention_output").mean
    linear = adapter.layers[1].attention_output
    expected = torch.nn.functional.linear(mean.float(), linear.weight, linear.bias)
    facts = flap.prune(job, [0, 3] * adapter.shape.layers).facts
    assert facts["extra_parameters"] == (0 if family == "opt" else 2 * adapter.shape.layers * adapter.shape.hidden)
    assert torch.allclose(adapter.layers[1].attention_output.bias, expected, atol=1e-5)
    assert logits(model).isfinite().all()
    assert_generates_alike(model)


@pytest.mark.parametrize("sparsity", [0.1, 0.25, 0.5, 0.8])
def test_allocation_meets_the_sparsity_within_one_item(family, sparsity):
    job = job_for(tiny_model(family), sparsity)
    kept = flap.allocate(job)
    assert all(0 <= count <= unit.size for count, unit in zip(kept, job.units, strict=True))
    largest = max(unit.weights_per_item for unit in job.units) / sum(unit.weights for unit in job.units)
    assert abs(achieved_sparsity(job.units, kept) - sparsity) <= largest / 2 + 1e-12


def test_constant_layers_are_no_nan(family):
    """One repeated token without positions to tell apart gives constant inputs: every score is 0."""
    model = tiny_model(family)
    if family == "opt":
        model.model.decoder.embed_positions.weight.zero_()
    job = job_for(model, 0.4, ids=np.full_like(tiny_ids(2, 8), 7))
    kept = flap.allocate(job)
    flap.prune(job, kept)
    assert logits(model).isfinite().all()
