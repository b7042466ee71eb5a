"""Sizes of units of the paper's models, and the counts of uniform pruning."""

import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.shape import Shape
from sparsitysolver.pruning.units import (
    achieved_sparsity,
    budget,
    check_sparsity,
    kept_weights,
    structured_units,
    uniform_counts,
)


def shape(family, layers, hidden, groups, heads_per_group, head_dim, ffn):
    return Shape(family, layers, hidden, groups, heads_per_group, head_dim, ffn, 1 if family == "opt" else 2)


OPT_125M = shape("opt", 12, 768, 12, 1, 64, 3072)
LLAMA_7B = shape("llama", 32, 4096, 32, 1, 128, 11008)
LLAMA_2_70B = shape("llama", 80, 8192, 8, 8, 128, 28672)
MISTRAL_7B = shape("mistral", 32, 4096, 8, 4, 128, 14336)
MINI = {
    "llama": shape("llama", 10, 128, 8, 1, 16, 352),
    "opt": shape("opt", 10, 128, 8, 1, 16, 512),
    "mistral": shape("mistral", 10, 128, 4, 2, 16, 400),
}


@pytest.mark.parametrize(
    ("model", "units", "group", "neuron", "prunable"),
    [
        (OPT_125M, 24, 196_608, 1_536, 84_934_656),
        (LLAMA_7B, 64, 2_097_152, 12_288, 6_476_005_376),
        (LLAMA_2_70B, 160, 18_874_368, 24_576, 68_451_041_280),
        (MISTRAL_7B, 64, 5_242_880, 12_288, 6_979_321_856),
    ],
    ids=["opt-125m", "llama-7b", "llama-2-70b", "mistral-7b"],
)
def test_units_of_the_papers_models(model, units, group, neuron, prunable):
    listed = structured_units(model)
    assert len(listed) == units
    assert {unit.weights_per_item for unit in listed[::2]} == {group}
    assert {unit.weights_per_item for unit in listed[1::2]} == {neuron}
    assert sum(unit.weights for unit in listed) == model.prunable_weights == prunable


def test_units_stand_in_forward_order():
    names = [(unit.name, unit.kind, unit.layer, unit.size) for unit in structured_units(OPT_125M)[:3]]
    assert names == [("layers.0.mha", "mha", 0, 12), ("layers.0.ffn", "ffn", 0, 3072), ("layers.1.mha", "mha", 1, 12)]


@pytest.mark.parametrize(
    ("family", "sparsity", "counts"),
    [
        ("llama", 0.2, [6, 290]),
        ("llama", 0.3, [6, 237]),
        ("opt", 0.2, [6, 422]),
        ("opt", 0.3, [6, 345]),
        ("mistral", 0.2, [3, 326]),
    ],
)
def test_uniform_counts(family, sparsity, counts):
    units = structured_units(MINI[family])
    kept = uniform_counts(units, sparsity)
    assert kept == counts * 10
    assert sparsity <= achieved_sparsity(units, kept) < sparsity + 0.01


def test_uniform_keeps_a_group_and_stays_below_the_budget():
    """round(2 * 0.2) is 0: one of two groups of 512 stays, and 0.2 * 9024 - 512 weights for neurons of 48.

    round(8 * 0.95) is 8, and eight groups of 512 do not fit into 95% of 4192 weights.
    """
    assert uniform_counts(structured_units(shape("llama", 1, 16, 2, 1, 8, 166)), 0.8) == [1, 26]
    units = structured_units(shape("llama", 1, 16, 8, 1, 8, 2))
    assert uniform_counts(units, 0.05) == [7, 2] and achieved_sparsity(units, [7, 2]) >= 0.05


def test_budget_and_achieved_sparsity_by_hand():
    units = structured_units(shape("opt", 1, 4, 2, 1, 2, 6))  # 2 x 32 and 6 x 8 weights
    assert [unit.weights for unit in units] == [64, 48]
    assert kept_weights(units, [1, 3]) == 56
    assert achieved_sparsity(units, [1, 3]) == 0.5
    assert budget(units, 0.3) == 78  # floor(78.4)


@pytest.mark.parametrize("sparsity", [float("nan"), 0, 1, -0.1, 1.5, float("inf")])
def test_impossible_sparsities(sparsity):
    with pytest.raises(SparsitySolverError, match=rf"sparsity {sparsity} asked for.*above 0 and below 1"):
        check_sparsity(sparsity)
    with pytest.raises(SparsitySolverError, match="sparsity"):
        uniform_counts(structured_units(OPT_125M), sparsity)


def test_a_sparsity_that_the_units_do_not_allow():
    """One head of hidden 8: 256 of 768 weights, more than 30% of the layer."""
    units = structured_units(shape("opt", 2, 8, 1, 1, 8, 32))
    with pytest.raises(SparsitySolverError, match=r"sparsity 0\.7 is more than the units of layer 0 allow.*256 of its"):
        uniform_counts(units, 0.7)
