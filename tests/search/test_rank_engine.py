"""The rank engine computes what a masked model computes, and holds ranks of one or two bytes a weight."""

import numpy as np
import pytest
import torch
from jobs import job_for
from tiny import FAMILIES, tiny_ids, tiny_model

from baselines import wanda_static
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.units import unstructured_units
from sparsitysolver.search.engines import RankEngine
from sparsitysolver.statistics.collect import ALL_TAPS, collect

WINDOWS = torch.from_numpy(tiny_ids(5, 20, seed=4)).long()
CALIBRATION = tiny_ids(12, 16, seed=1)


def engine_of(family, criterion="wanda", **overrides):
    adapter = adapt(tiny_model(family, **overrides))
    return RankEngine(adapter, collect(adapter, CALIBRATION, "weights", "ids", ALL_TAPS), criterion)


@pytest.mark.parametrize("criterion", ["wanda", "magnitude"])
@pytest.mark.parametrize("family", FAMILIES)
def test_candidates_equal_models_with_zeros_among_their_weights(family, criterion):
    """Full, empty and random candidates, one after the other on one engine, in an order that would show leftovers."""
    engine = engine_of(family, criterion)
    sizes = [unit.size for unit in unstructured_units(engine.adapter.shape)]
    rng = np.random.default_rng(0)
    random = [[int(rng.integers(0, size + 1)) for size in sizes] for _ in range(4)]
    for kept in [sizes, *random, [0] * len(sizes), sizes]:
        job = job_for(tiny_model(family), ids=CALIBRATION, granularity="unstructured", criterion=criterion)
        wanda_static.prune(job, kept)
        expected = window_losses(job.adapter, WINDOWS)
        assert np.allclose(engine.losses(kept, WINDOWS), expected, atol=1e-6)


def test_no_weight_is_copied_or_changed():
    adapter = adapt(tiny_model("llama"))
    weights = [linear.weight for _, linear in adapter.prunable_linears()]
    before = [weight.clone() for weight in weights]
    engine = RankEngine(adapter, collect(adapter, CALIBRATION, "weights", "ids", ALL_TAPS), "wanda")
    engine.losses([3] * 21, WINDOWS)
    after = [linear.weight for _, linear in engine.adapter.prunable_linears()]
    assert all(new is old for new, old in zip(after, weights, strict=True))
    assert all(torch.equal(new, old) for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize(("ffn", "bytes_of_ffn_output"), [(252, 1), (256, 2)])
def test_ranks_take_one_byte_in_short_rows_and_two_in_long_ones(ffn, bytes_of_ffn_output):
    engine = engine_of("llama", intermediate_size=ffn)
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
        RankEngine(adapter, statistics, "wanda")
