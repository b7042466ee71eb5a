"""Closed-form allocations: the mean, the range, the guards, whole columns."""

import numpy as np
import pytest
import torch
from jobs import job_for
from tiny import tiny_model

from baselines import dlp, owl, ramp
from sparsitysolver.pruning.allocation import layer_scores, spread, spread_sparsities
from sparsitysolver.pruning.units import UNSTRUCTURED, achieved_sparsity, uniform_kept

OUTLIERS = [3.1, 0.4, 0.9, 2.2, 0.4]


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.7])
def test_mean_and_range_are_exact(sparsity):
    found = spread_sparsities(OUTLIERS, 0.08, sparsity)
    assert found.mean() == pytest.approx(sparsity, abs=1e-12)
    assert np.ptp(found) == pytest.approx(0.16, abs=1e-12)
    # The range is centred on the mean of the importances, not on the target: five layers by hand.
    scaled = [1, 0, 0.5 / 2.7, 1.8 / 2.7, 0]
    assert found == pytest.approx([sparsity - 0.16 * (value - sum(scaled) / 5) for value in scaled], abs=1e-12)


@pytest.mark.parametrize("importance", [[2.0, 2.0, 2.0], [0, 0]])
def test_equal_importances_give_the_same_everywhere(importance):
    assert spread_sparsities(importance, 0.08, 0.6).tolist() == [0.6] * len(importance)


def test_no_layer_leaves_the_guards():
    low = spread_sparsities([1.0, 0.0], 0.2, 0.1)  # -0.1 and 0.3 before the guard
    assert low.tolist() == pytest.approx([0.01, 0.3])
    high = spread_sparsities([1.0, 0.0], 0.2, 0.9)  # 0.7 and 1.1
    assert high.tolist() == pytest.approx([0.7, 1.0])


def test_columns_are_whole_numbers_of_each_matrix():
    job = job_for(tiny_model("llama"), 0.5, granularity=UNSTRUCTURED)
    kept = spread(job, [2, 1, 0], 0.2)
    assert kept == [unit.size - int(unit.size * (0.3, 0.5, 0.7)[unit.layer] + 1e-9) for unit in job.units]
    assert all(isinstance(count, int) for count in kept)
    job.sparsity = 1 - 0.7  # 0.30000000000000004
    assert spread(job, [1, 1, 1], 0.2) == uniform_kept(job.units, 0.3, UNSTRUCTURED)


def test_owl_counts_scores_above_m_times_the_layers_mean(family):
    job = job_for(tiny_model(family), 0.5, granularity=UNSTRUCTURED, options={"lambda": "0.1", "M": "3"})
    shares = []
    for index, layer in enumerate(job.adapter.layers):
        parts = []
        for role, linear in layer.linears.items():
            tap = {"key": "query", "value": "query", "gate": "ffn_input", "up": "ffn_input"}.get(role, role)
            parts += (linear.weight.abs() * job.statistics.of(index, tap).squares.sqrt().float()).flatten().tolist()
        mean = sum(parts) / len(parts)
        shares.append(100 * sum(score > 3 * mean for score in parts) / len(parts))
    assert len(set(shares)) > 1
    assert owl.allocate(job) == spread(job, shares, 0.1)


def test_dlp_keeps_less_where_scores_are_large(family):
    """Affine normalisation: 1 - mean / sum ranks and spreads as the negated means do."""
    job = job_for(tiny_model(family), 0.5, granularity=UNSTRUCTURED)
    means = np.array([float(scores.mean()) for scores in layer_scores(job)])
    kept = dlp.allocate(job)
    assert kept == spread(job, -means, 0.15)
    first = [count for count, unit in zip(kept, job.units, strict=True) if unit.kind == "query"]
    assert means.argmax() == np.argmin(first) and means.argmin() == np.argmax(first)


def test_ramp_is_a_line_from_early_to_late():
    job = job_for(tiny_model("llama"), 0.5, granularity=UNSTRUCTURED, options={"slope": "0.25"})
    expected = [unit.size - int(unit.size * (0.25, 0.5, 0.75)[unit.layer]) for unit in job.units]
    assert ramp.allocate(job) == expected


@pytest.mark.parametrize("allocator", [owl, dlp, ramp])
def test_allocations_meet_the_sparsity_up_to_a_column(family, allocator):
    job = job_for(tiny_model(family), 0.6, granularity=UNSTRUCTURED)
    column = 1 / min(unit.size for unit in job.units)
    assert 0.6 - column <= achieved_sparsity(job.units, allocator.allocate(job)) <= 0.6 + 1e-12


def test_layer_scores_are_those_of_all_its_matrices():
    job = job_for(tiny_model("mistral"), granularity=UNSTRUCTURED)
    sizes = [sum(linear.weight.numel() for linear in layer.linears.values()) for layer in job.adapter.layers]
    scores = list(layer_scores(job))
    assert [len(vector) for vector in scores] == sizes
    assert all(vector.dtype == torch.float32 for vector in scores)
