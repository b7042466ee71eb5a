"""The engines compute what physically pruned models compute, without copying or changing a weight."""

import numpy as np
import pytest
import torch
from jobs import job_for
from tiny import FAMILIES, tiny_ids, tiny_model

from baselines import slicing, wanda_static
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.units import units_of
from sparsitysolver.search.engines import build_engine
from sparsitysolver.statistics.collect import ALL_TAPS, collect

WINDOWS = torch.from_numpy(tiny_ids(5, 20, seed=4)).long()
CALIBRATION = tiny_ids(12, 16, seed=1)
CRITERIA = {"structured": "l2", "unstructured": "wanda"}


def engine_of(family, granularity="structured", criterion=None, adapter=None):
    adapter = adapter or adapt(tiny_model(family))
    statistics = collect(adapter, CALIBRATION, "weights", "ids", ALL_TAPS)
    return build_engine(adapter, statistics, granularity, criterion or CRITERIA[granularity])


def sizes(family, granularity="structured"):
    return [unit.size for unit in units_of(adapt(tiny_model(family)).shape, granularity)]


def candidates(family, granularity="structured"):
    """Full, random ones, and the corners: no groups in layer 0 or anywhere, no neurons, nothing at all."""
    full, rng = sizes(family, granularity), np.random.default_rng(0)
    random = [[int(rng.integers(0, size + 1)) for size in full] for _ in range(4)]
    corners = [[0, *full[1:]], [*full[:3], 0, *full[4:]], [0 if i % 2 == 0 else n for i, n in enumerate(full)]]
    return [full, *random, *corners, [1] * len(full), [0] * len(full), full]


def pruned_losses(family, granularity, criterion, kept):
    """Of a model that is sliced, or has zeros among its weights."""
    job = job_for(tiny_model(family), ids=CALIBRATION, granularity=granularity, criterion=criterion)
    (slicing if granularity == "structured" else wanda_static).prune(job, kept)
    return window_losses(job.adapter, WINDOWS)


@pytest.mark.parametrize(
    ("granularity", "criterion"), [("structured", "l2"), ("unstructured", "wanda"), ("unstructured", "magnitude")]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_pruned_models(family, granularity, criterion):
    """One after the other on one engine, in an order that would show leftovers; and the comparison has teeth."""
    engine, listed = engine_of(family, granularity, criterion), candidates(family, granularity)
    found = [engine.losses(kept, WINDOWS) for kept in listed]
    for kept, losses in zip(listed, found, strict=True):
        assert np.abs(losses - pruned_losses(family, granularity, criterion, kept)).max() <= 1e-5, kept
    assert np.abs(found[0] - window_losses(adapt(tiny_model(family)), WINDOWS)).max() <= 1e-5
    assert all(np.abs(other - found[0]).max() > 1e-3 for other in found[1:-1])
    again = [engine.losses(kept, WINDOWS) for kept in reversed(listed)]
    assert all(np.array_equal(a, b) for a, b in zip(found, reversed(again), strict=True))


@pytest.mark.parametrize("criterion", ["wanda_sp", "magnitude"])
def test_any_criterion_orders_the_prefixes(criterion):
    kept = [3, 20, 1, 40, 2, 7]
    losses = engine_of("llama", criterion=criterion).losses(kept, WINDOWS)
    assert np.abs(losses - pruned_losses("llama", "structured", criterion, kept)).max() <= 1e-5


def storages(engine):
    return [
        (tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes(), tensor.data_ptr())
        for layer in engine.adapter.layers
        for linear in layer.linears.values()
        for tensor in (linear.weight, linear.bias)
        if tensor is not None
    ]


def test_candidates_are_views_of_the_sorted_weights(family):
    engine = engine_of(family)
    before = storages(engine)
    for kept in candidates(family)[1:5]:
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


def test_ranks_copy_and_change_no_weight():
    adapter = adapt(tiny_model("llama"))
    weights = [linear.weight for _, linear in adapter.prunable_linears()]
    before = [weight.clone() for weight in weights]
    engine = engine_of("llama", "unstructured", adapter=adapter)
    engine.losses([3] * 21, WINDOWS)
    after = [linear.weight for _, linear in engine.adapter.prunable_linears()]
    assert all(new is old for new, old in zip(after, weights, strict=True))
    assert all(torch.equal(new, old) for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize(("ffn", "bytes_of_ffn_output"), [(252, 1), (256, 2)])
def test_ranks_take_one_byte_in_short_rows_and_two_in_long_ones(ffn, bytes_of_ffn_output):
    engine = engine_of("llama", "unstructured", adapter=adapt(tiny_model("llama", intermediate_size=ffn)))
    shape = engine.adapter.shape
    long_rows = shape.layers * shape.hidden * ffn
    assert engine.rank_bytes == shape.prunable_weights + (bytes_of_ffn_output - 1) * long_rows


def test_activations_that_are_no_numbers_are_an_error():
    adapter = adapt(tiny_model("opt"))
    statistics = collect(adapter, CALIBRATION, "weights", "ids", ALL_TAPS)
    moments = statistics.of(1, "ffn_input")
    moments.squares = moments.squares.clone()
    moments.squares[3] = float("nan")
    with pytest.raises(SparsitySolverError, match=r"48 of 1536 scores of layers\.1\.ffn_input are NaN"):
        build_engine(adapter, statistics, "unstructured", "wanda")


@pytest.mark.parametrize("room", [1 << 30, 40_000, 1], ids=["every layer", "every second", "none"])
@pytest.mark.parametrize("granularity", ["structured", "unstructured"])
def test_neighbours_begin_where_they_differ(granularity, room, monkeypatch):
    """Not a bit changes, and layers before the change do not run."""
    monkeypatch.setattr("sparsitysolver.search.engines.STATES_BYTES", room)
    full, other = sizes("llama", granularity), torch.flip(WINDOWS, [0])
    probes = [[count - (unit == changed) for unit, count in enumerate(full)] for changed in reversed(range(len(full)))]
    engine, ran = engine_of("llama", granularity), []
    for index, layer in enumerate(engine.adapter.layers):
        layer.attention_norm.register_forward_hook(lambda *_, index=index: ran.append(index))
    engine.losses(full, WINDOWS)
    for kept in [*probes, *reversed(probes), full]:
        assert np.array_equal(engine.losses(kept, WINDOWS), engine_of("llama", granularity).losses(kept, WINDOWS))
    ran.clear()
    engine.losses(probes[0], WINDOWS)
    engine.losses(full, WINDOWS)
    assert ran.count(0) == (ran.count(2) if room == 1 else 0)
    engine.losses(full, other)
    assert np.array_equal(engine.losses(full, other), engine_of("llama", granularity).losses(full, other))
