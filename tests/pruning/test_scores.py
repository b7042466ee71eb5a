"""Structured criteria against their formulas, groups, and the order of ties."""

import numpy as np
import pytest
import torch
from jobs import moments_of
from tiny import tiny_ids, tiny_model

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import adapt
from sparsitysolver.pruning.scores import (
    CRITERIA,
    channels_of,
    criterion,
    group_scores,
    kept_indices,
    ranking,
    score_units,
)
from sparsitysolver.pruning.units import STRUCTURED
from sparsitysolver.statistics.collect import collect

X = np.random.default_rng(0).normal(1.0, 2.0, size=(37, 6))
W = np.random.default_rng(1).normal(size=(5, 6))
FORMULAS = {
    "l2": lambda: (X**2).sum(axis=0),
    "wanda_sp": lambda: np.abs(W).mean(axis=0) * np.linalg.norm(X, axis=0),
    "fluctuation": lambda: X.var(axis=0, ddof=1) * (W**2).sum(axis=0),
    "magnitude": lambda: (W**2).sum(axis=0),
}


@pytest.mark.parametrize("name", CRITERIA[STRUCTURED])
def test_criterion_equals_its_formula(name):
    scores = criterion(STRUCTURED, name)(torch.from_numpy(W), moments_of(X))
    assert scores.dtype == torch.float64
    assert np.allclose(scores.numpy(), FORMULAS[name]())


def test_criteria_by_name():
    assert set(FORMULAS) == set(CRITERIA[STRUCTURED])
    with pytest.raises(SparsitySolverError, match="unknown structured criterion 'wanda-sp'; did you mean wanda_sp"):
        criterion(STRUCTURED, "wanda-sp")


def test_a_group_is_ranked_by_the_norm_of_all_its_channels():
    """‖(3, 3)‖ < ‖(0, 5)‖ although the plain sum of norms says otherwise."""
    inputs = np.array([[3.0, 3.0, 0.0, 5.0]])
    scores = group_scores(criterion(STRUCTURED, "l2")(torch.zeros(1, 4), moments_of(inputs)), 2)
    assert ranking(scores).tolist() == [1, 0]


def test_order_groups_and_channels():
    assert ranking(torch.tensor([1.0, 3.0, 1.0, 3.0, 2.0])).tolist() == [1, 3, 4, 0, 2]
    assert ranking(torch.zeros(1000)).tolist() == list(range(1000))
    scores = torch.tensor([1.0, 5.0, 2.0, 4.0, 2.0])
    assert kept_indices(scores, 3).tolist() == [1, 2, 3] and kept_indices(scores, 0).tolist() == []
    assert group_scores(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 3).tolist() == [6.0, 15.0]
    assert channels_of(torch.tensor([2, 0]), 3).tolist() == [6, 7, 8, 0, 1, 2]
    assert channels_of(torch.tensor([], dtype=torch.long), 3).tolist() == []


def test_units_are_scored_at_the_inputs_of_both_output_projections(family):
    adapter = adapt(tiny_model(family))
    statistics = collect(adapter, tiny_ids(), "weights", "ids")
    scores = score_units(adapter, statistics, "l2")
    shape = adapter.shape
    assert [len(score) for score in scores] == [shape.groups, shape.ffn] * shape.layers
    squares = statistics.of(1, "attention_output").squares
    assert torch.allclose(scores[2], squares.view(shape.groups, shape.group_channels).sum(dim=1))
    assert torch.equal(scores[3], statistics.of(1, "ffn_output").squares)
