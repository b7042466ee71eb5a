"""A strategy by relative depth: ramps stay ramps, a model's own strategy stays itself, families meet by a fixed map."""

import numpy as np
import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.exchange.transferring import Point, transferred_counts, wanted_ratios
from sparsitysolver.models.shape import Shape
from sparsitysolver.pruning.budget import Bounds, projection
from sparsitysolver.pruning.units import Unit, kept_weights, structured_units, unstructured_units


def ramp(layers, low, high, kind="mha"):
    return [Point(kind, layer, value) for layer, value in enumerate(np.linspace(low, high, layers))]


def units(layers, kind="mha", size=100):
    return [Unit(f"layers.{layer}.{kind}", kind, layer, size, 7) for layer in range(layers)]


@pytest.mark.parametrize(("source", "target"), [(4, 8), (8, 4), (2, 5)])
def test_a_ramp_stays_the_same_ramp(source, target):
    wanted = wanted_ratios(ramp(source, 0.9, 0.3), units(target))
    np.testing.assert_allclose(wanted, np.linspace(0.9, 0.3, target), atol=1e-12)


def test_between_layers_it_is_linear():
    points = [Point("mha", 0, 1.0), Point("mha", 1, 0.2), Point("mha", 2, 0.6)]
    np.testing.assert_allclose(wanted_ratios(points, units(5)), [1.0, 0.6, 0.2, 0.4, 0.6])


def test_one_layer_stands_for_all_depths_and_takes_the_middle():
    assert list(wanted_ratios([Point("mha", 0, 0.4)], units(3))) == [0.4] * 3
    assert list(wanted_ratios(ramp(3, 0.2, 0.6), units(1))) == pytest.approx([0.4])


def test_kinds_keep_their_own_curves():
    both = [*units(2), *units(2, "ffn")]
    wanted = wanted_ratios([*ramp(4, 0.9, 0.5), *ramp(4, 0.1, 0.7, "ffn")], both)
    np.testing.assert_allclose(wanted, [0.9, 0.5, 0.1, 0.7])


def test_the_ffn_inputs_of_families_stand_for_each_other():
    gated = [Point("gate", 0, 0.2), Point("gate", 1, 0.4), Point("up", 0, 0.6), Point("up", 1, 1.0)]
    np.testing.assert_allclose(wanted_ratios(gated, units(2, "ffn_input")), [0.4, 0.7])
    plain = ramp(2, 0.3, 0.5, "ffn_input")
    np.testing.assert_allclose(wanted_ratios(plain, [*units(2, "gate"), *units(2, "up")]), [0.3, 0.5, 0.3, 0.5])


def test_every_role_of_every_family_has_a_source():
    opt = Shape("opt", 2, 32, 4, 1, 8, 48, 1)
    llama = Shape("llama", 3, 32, 4, 1, 8, 44, 2)
    for one, other in ((opt, llama), (llama, opt)):
        points = [Point(unit.kind, unit.layer, 0.5) for unit in unstructured_units(one)]
        assert set(wanted_ratios(points, unstructured_units(other))) == {0.5}


def test_a_kind_without_source_is_refused():
    with pytest.raises(SparsitySolverError, match="no units of kind query.*it has mha"):
        wanted_ratios(ramp(2, 0.5, 0.5), units(2, "query"))


def test_a_models_own_strategy_comes_back():
    shape = Shape("opt", 6, 64, 8, 1, 8, 256, 1)
    own = structured_units(shape)
    kept = projection(np.random.default_rng(0).uniform(0.4, 1, len(own)), own, 0.3, Bounds(0, 1))
    points = [Point(unit.kind, unit.layer, count / unit.size) for unit, count in zip(own, kept, strict=True)]
    assert transferred_counts(points, own, 0.3) == kept


def test_the_budget_of_the_other_model_is_met():
    other = structured_units(Shape("llama", 5, 48, 4, 2, 6, 130, 2))
    points = [*ramp(4, 1.0, 0.6), *ramp(4, 0.3, 0.9, "ffn")]
    counts = transferred_counts(points, other, 0.4)
    total = sum(unit.weights for unit in other)
    assert 0 <= 0.6 * total - kept_weights(other, counts) < min(unit.weights_per_item for unit in other)
    assert all(0 <= count <= unit.size for count, unit in zip(counts, other, strict=True))
