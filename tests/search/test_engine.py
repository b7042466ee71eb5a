"""The prefix engine computes what physically sliced models compute, without copying a weight."""

import numpy as np
import pytest
import torch
from jobs import job_for
from tiny import tiny_ids, tiny_model

from baselines import slicing
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.scores import score_units
from sparsitysolver.pruning.units import structured_units
from sparsitysolver.search.engines import PrefixEngine
from sparsitysolver.statistics.collect import collect

WINDOWS = torch.from_numpy(tiny_ids(5, 20, seed=4)).long()
CALIBRATION = tiny_ids(12, 16, seed=1)


def engine_of(family):
    adapter = adapt(tiny_model(family))
    return PrefixEngine(adapter, score_units(adapter, collect(adapter, CALIBRATION, "weights", "ids"), "l2"))


def sizes(family):
    return [unit.size for unit in structured_units(adapt(tiny_model(family)).shape)]


def candidates(family):
    """Full, random ones, and the corners: no groups in layer 0 or anywhere, no neurons, nothing at all."""
    full = sizes(family)
    rng = np.random.default_rng(0)
    random = [[int(rng.integers(0, size + 1)) for size in full] for _ in range(6)]
    corners = [[0, *full[1:]], [*full[:3], 0, *full[4:]], [0 if i % 2 == 0 else n for i, n in enumerate(full)]]
    return [full, *random, *corners, [1] * len(full), [0] * len(full), full]


def sliced_losses(family, kept):
    job = job_for(tiny_model(family))
    slicing.prune(job, kept)
    return window_losses(job.adapter, WINDOWS)


def test_losses_are_those_of_sliced_models(family):
    engine = engine_of(family)
    for kept in candidates(family):
        assert np.abs(engine.losses(kept, WINDOWS) - sliced_losses(family, kept)).max() <= 1e-5, kept


def test_full_counts_are_the_dense_model(family):
    dense = window_losses(adapt(tiny_model(family)), WINDOWS)
    assert np.abs(engine_of(family).losses(sizes(family), WINDOWS) - dense).max() <= 1e-5


def test_candidates_differ(family):
    """The comparison above has teeth."""
    engine = engine_of(family)
    full, *others, _ = (engine.losses(kept, WINDOWS) for kept in candidates(family))
    assert all(np.abs(other - full).max() > 1e-3 for other in others)


def test_no_candidate_leaves_a_trace(family):
    engine = engine_of(family)
    listed = candidates(family)
    first = [engine.losses(kept, WINDOWS) for kept in listed]
    again = [engine.losses(kept, WINDOWS) for kept in reversed(listed)]
    assert all(np.array_equal(a, b) for a, b in zip(first, reversed(again), strict=True))


def storages(engine):
    return [
        (tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes(), tensor.data_ptr())
        for layer in engine.adapter.layers
        for linear in layer.linears
        for tensor in (linear.weight, linear.bias)
        if tensor is not None
    ]


def test_candidates_are_views_of_the_sorted_weights(family):
    engine = engine_of(family)
    before = storages(engine)
    for kept in candidates(family)[1:7]:
        engine.losses([max(1, count) for count in kept], WINDOWS)
        assert storages(engine) == before
    engine.losses([0] * len(sizes(family)), WINDOWS)
    engine.losses(sizes(family), WINDOWS)
    assert storages(engine) == before


def test_the_forward_pass_shrinks(family):
    """A candidate's matrices have its own sizes: nothing is masked."""
    engine = engine_of(family)
    engine.losses([2, 5] * 3, WINDOWS)
    shape, layer = engine.adapter.shape, engine.adapter.layers[1]
    assert layer.query.weight.shape == (2 * shape.group_channels, shape.hidden)
    assert layer.value.weight.shape == (2 * shape.head_dim, shape.hidden)
    assert layer.attention_output.weight.shape == (shape.hidden, 2 * shape.group_channels)
    assert layer.ffn_inputs[0].weight.shape == (5, shape.hidden)
    assert layer.ffn_output.weight.shape == (shape.hidden, 5)


@pytest.mark.parametrize("criterion", ["wanda_sp", "magnitude"])
def test_any_criterion_orders_the_prefixes(criterion):
    adapter = adapt(tiny_model("llama"))
    engine = PrefixEngine(adapter, score_units(adapter, collect(adapter, CALIBRATION, "w", "i"), criterion))
    kept = [3, 20, 1, 40, 2, 7]
    job = job_for(tiny_model("llama"), criterion=criterion)
    slicing.prune(job, kept)
    assert np.abs(engine.losses(kept, WINDOWS) - window_losses(job.adapter, WINDOWS)).max() <= 1e-5
