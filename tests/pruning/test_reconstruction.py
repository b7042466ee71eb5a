"""Reconstruction against ridge regression channel by channel, and where it is exact."""

import numpy as np
import pytest
import torch

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.reconstruction import RIDGE, reconstruct, scale_factors

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 9)) @ RNG.normal(size=(9, 9))
W = RNG.normal(size=(4, 9))
KEPT, REMOVED = [7, 0, 4, 5, 2], [1, 3, 6, 8]


def gram(inputs):
    return torch.from_numpy(inputs.T @ inputs)


def one_by_one(ridge):
    """Equation 8 for one removed channel after the other: minimise ‖x_p - X_K s‖² + ridge ‖s‖²."""
    kept = X[:, KEPT]
    normal = kept.T @ kept + ridge * np.eye(len(KEPT))
    return np.stack([np.linalg.solve(normal, kept.T @ X[:, p]) for p in REMOVED])


@pytest.mark.parametrize("ridge", [0.0, RIDGE, 50.0])
def test_factors_are_ridge_regressions(ridge):
    factors = scale_factors(gram(X), torch.tensor(KEPT), torch.tensor(REMOVED), ridge)
    assert np.allclose(factors.numpy(), one_by_one(ridge))


def test_removed_columns_are_folded_into_kept_ones():
    assert RIDGE == 0.9  # the paper's lambda
    expected = W[:, KEPT] + W[:, REMOVED] @ one_by_one(RIDGE)
    assert np.allclose(reconstruct(torch.from_numpy(W), gram(X), torch.tensor(KEPT)).numpy(), expected)


def test_exact_where_removed_channels_are_combinations_of_kept_ones():
    inputs = X.copy()
    inputs[:, REMOVED] = X[:, KEPT] @ RNG.normal(size=(len(KEPT), len(REMOVED)))
    repaired = reconstruct(torch.from_numpy(W), gram(inputs), torch.tensor(KEPT), ridge=1e-9).numpy()
    assert np.allclose(inputs[:, KEPT] @ repaired.T, inputs @ W.T, atol=1e-6)
    cut = inputs[:, KEPT] @ W[:, KEPT].T
    assert np.abs(cut - inputs @ W.T).max() > 1


def test_repair_never_does_worse_than_slicing_on_its_own_data():
    repaired = reconstruct(torch.from_numpy(W), gram(X), torch.tensor(KEPT)).numpy()
    error = np.linalg.norm(X[:, KEPT] @ repaired.T - X @ W.T)
    assert error < 0.8 * np.linalg.norm(X[:, KEPT] @ W[:, KEPT].T - X @ W.T)


def test_a_larger_lambda_shrinks():
    norms = [
        scale_factors(gram(X), torch.tensor(KEPT), torch.tensor(REMOVED), ridge).norm()
        for ridge in (0.0, 0.9, 100.0, 1e6)
    ]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < 0.01


@pytest.mark.parametrize("kept", [[], [3], list(range(9))])
def test_nothing_kept_one_kept_and_nothing_removed(kept):
    result = reconstruct(torch.from_numpy(W), gram(X), torch.tensor(kept, dtype=torch.long))
    assert result.shape == (4, len(kept))
    assert result.isfinite().all()
    if len(kept) == 9:
        assert np.array_equal(result.numpy(), W)


def test_weights_keep_their_dtype_and_the_gram_its_values():
    before = gram(X)
    after = before.clone()
    weight = torch.from_numpy(W).half()
    assert reconstruct(weight, after, torch.tensor(KEPT)).dtype == torch.float16
    assert torch.equal(before, after)


@pytest.mark.parametrize("channel", [KEPT[0], REMOVED[0]], ids=["kept", "removed"])
def test_activations_that_are_not_finite(channel):
    inputs = X.copy()
    inputs[5, channel] = np.nan
    with pytest.raises(SparsitySolverError, match="Gram matrix of 5 kept channels.*non-finite activations"):
        reconstruct(torch.from_numpy(W), gram(inputs), torch.tensor(KEPT))
