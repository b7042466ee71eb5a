"""Physically smaller layers compute what the dense layers compute with the removed channels silenced."""

import pytest
import torch
from tiny import assert_generates_alike, left_padded, logits, tiny_ids, tiny_model

from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.structure import ZeroAttention
from sparsitysolver.pruning.scores import channels_of
from sparsitysolver.pruning.slicing import keep_rows, set_columns, slice_attention, slice_ffn
from sparsitysolver.pruning.units import achieved_sparsity, structured_units

# Groups and neurons per layer; None for a random choice between 1 and all but one.
CHOICES = {
    "unequal": ([None, None, None], [None, None, None]),
    "first layer without attention": ([0, None, None], [None, None, None]),
    "another layer without attention": ([None, None, 0], [None, None, None]),
    "no attention at all": ([0, 0, 0], [None, None, None]),
    "a layer without FFN": ([None, None, None], [None, 0, None]),
    "nothing but biases": ([0, 0, 0], [0, 0, 0]),
}


def chosen(counts, size, generator):
    """A random subset of ``size`` items for every count, ascending."""
    sizes = [int(torch.randint(1, size, (1,), generator=generator)) if n is None else n for n in counts]
    return [torch.randperm(size, generator=generator)[:n].sort().values for n in sizes]


def silence(linear, kept):
    """Zero the input columns that are not kept."""
    mask = torch.zeros(linear.weight.shape[1])
    mask[kept] = 1
    linear.weight.mul_(mask)


def sliced_and_masked(family, case, **overrides):
    """The same choice executed by slicing one model and silencing another."""
    sliced, masked = tiny_model(family, **overrides), tiny_model(family, **overrides)
    adapter, shape = adapt(sliced), adapt(sliced).shape
    generator = torch.Generator().manual_seed(len(case))
    groups = chosen(CHOICES[case][0], shape.groups, generator)
    neurons = chosen(CHOICES[case][1], shape.ffn, generator)
    for index, layer in enumerate(adapt(masked).layers):
        silence(layer.attention_output, channels_of(groups[index], shape.group_channels))
        silence(layer.ffn_output, neurons[index])
        slice_attention(adapter, index, groups[index])
        slice_ffn(adapter, index, neurons[index])
    return sliced, masked


@pytest.mark.parametrize("case", CHOICES)
@pytest.mark.parametrize("heads", [{}, {"num_attention_heads": 8}], ids=["wide heads", "narrow heads"])
def test_sliced_equals_masked(family, case, heads):
    """With and without a cache; and the comparison has teeth: the same masks change the dense model's logits."""
    sliced, masked = sliced_and_masked(family, case, **heads)
    assert (logits(sliced) - logits(masked)).abs().max() <= 1e-5
    assert (logits(masked) - logits(tiny_model(family, **heads))).abs().max() > 0.1
    assert_generates_alike(sliced)
    ids, mask = left_padded(tiny_ids(seed=5))
    difference = logits(sliced, ids, mask) - logits(masked, ids, mask)
    assert difference[mask.bool()].abs().max() <= 1e-5


def test_eager_attention_is_sliced_too(family):
    sliced, masked = sliced_and_masked(family, "unequal", attn_implementation="eager")
    assert (logits(sliced) - logits(masked)).abs().max() <= 1e-5
    assert_generates_alike(sliced)


def test_groups_are_kept_in_the_order_given(family):
    """Any order of whole groups computes the same: o's columns move with the rows of q, k and v."""
    one, other = tiny_model(family), tiny_model(family)
    count = adapt(one).shape.groups
    slice_attention(adapt(one), 1, torch.arange(count))
    slice_attention(adapt(other), 1, torch.arange(count).flip(0))
    assert (logits(one) - logits(other)).abs().max() <= 1e-5


def test_an_attention_without_groups_keeps_its_output_bias():
    model = tiny_model("opt")
    slice_attention(adapt(model), 0, torch.tensor([], dtype=torch.long))
    layer = adapt(model).layers[0]
    assert isinstance(layer.attention, ZeroAttention)
    output, _ = layer.attention(hidden_states=torch.ones(2, 3, 32))
    assert torch.equal(output, layer.attention_output.bias.expand(2, 3, 32))


def test_rows_columns_and_sizes():
    linear = torch.nn.Linear(4, 6)
    weight, bias = linear.weight.detach().clone(), linear.bias.detach().clone()
    keep_rows(linear, torch.tensor([5, 1]))
    set_columns(linear, linear.weight[:, [0, 3]])
    assert torch.equal(linear.weight, weight[[5, 1]][:, [0, 3]])
    assert torch.equal(linear.bias, bias[[5, 1]])
    assert (linear.in_features, linear.out_features) == (2, 2)
    assert linear.weight.is_contiguous() and not linear.weight.requires_grad


@pytest.mark.parametrize(("groups", "neurons"), [(1, 3), (0, 0), (2, 40)])
def test_measured_sparsity_is_the_planned_one(family, groups, neurons):
    adapter = adapt(tiny_model(family))
    for index in range(adapter.shape.layers):
        slice_attention(adapter, index, torch.arange(groups))
        slice_ffn(adapter, index, torch.arange(neurons))
    planned = achieved_sparsity(structured_units(adapter.shape), [groups, neurons] * adapter.shape.layers)
    assert measure_size(adapter).sparsity == pytest.approx(planned)
