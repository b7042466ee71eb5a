"""SparseGPT's solver against optimal brain surgeon with an explicit inverse at every column."""

from fractions import Fraction

import pytest
import torch

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.masks import Pattern, row_mask
from sparsitysolver.pruning.obs import inverse_factor, sparsegpt


@pytest.fixture
def problem():
    """A weight (6, 24) and correlated inputs (300, 24), float64."""
    torch.manual_seed(0)
    weight = torch.randn(6, 24, dtype=torch.double)
    mix = torch.eye(24, dtype=torch.double) + 0.3 * torch.randn(24, 24, dtype=torch.double)
    return weight, torch.randn(300, 24, dtype=torch.double) @ mix


def output_error(weight, pruned, inputs):
    return float((inputs @ (weight - pruned).T).square().sum())


def slow_surgeon(weight, gram, blocksize, share=None, pattern=None, percdamp=0.01):
    """The same by the definition: at every column the inverse of what is left of the damped Gram matrix."""
    left, columns = weight.clone(), weight.shape[1]
    damped = gram + percdamp * gram.diagonal().mean() * torch.eye(columns, dtype=torch.double)
    inverses = [torch.linalg.inv(damped[column:, column:]) for column in range(columns)]
    losses = torch.stack([inverse[0, 0] for inverse in inverses])
    gone = torch.zeros_like(weight, dtype=torch.bool)
    for column in range(columns):
        if pattern and column % pattern.group == 0:
            ahead = slice(column, column + pattern.group)
            order = (left[:, ahead].square() / losses[ahead]).argsort(dim=1)[:, : pattern.group - pattern.keep]
            gone[:, ahead] = gone[:, ahead].scatter(1, order, value=True)
        elif not pattern and column % blocksize == 0:
            ahead = slice(column, min(column + blocksize, columns))
            scores = left[:, ahead].square() / losses[ahead]
            gone[:, ahead] = scores <= scores.flatten().sort().values[int(scores.numel() * share)]
        inverse = inverses[column]
        error = left[:, column] * gone[:, column] / inverse[0, 0]
        left[:, column:] -= torch.outer(error, inverse[0])
    return left.masked_fill(gone, 0)


@pytest.mark.parametrize("blocksize", [24, 8, 7, 1])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_equals_the_explicit_inverses(problem, blocksize, share):
    weight, inputs = problem
    gram = inputs.T @ inputs
    found = sparsegpt(weight, gram, share, blocksize=blocksize)
    assert torch.allclose(found, slow_surgeon(weight, gram, blocksize, share), atol=1e-9)


@pytest.mark.parametrize("text", ["2:4", "1:3", "5:8"])
def test_patterns_equal_the_explicit_inverses(problem, text):
    """Blocks of 10 columns are cut to whole groups; where blocks end changes nothing under a pattern."""
    weight, inputs = problem
    gram, pattern = inputs.T @ inputs, Pattern.parse(text)
    found = sparsegpt(weight, gram, 0.1, pattern, blocksize=10)
    assert torch.allclose(found, slow_surgeon(weight, gram, 10, pattern=pattern), atol=1e-9)
    assert ((found != 0).reshape(6, -1, pattern.group).sum(dim=2) == pattern.keep).all()


@pytest.mark.parametrize("seed", range(4))
def test_error_lies_between_least_squares_and_wanda(seed):
    """No update of the kept weights can beat the least squares for the same mask; Wanda updates nothing.

    Inputs are mildly correlated: its greedy masks may lose to Wanda's where random inputs are correlated strongly.
    """
    torch.manual_seed(seed)
    weight, mix = torch.randn(32, 64, dtype=torch.double), torch.randn(64, 64, dtype=torch.double)
    inputs = torch.randn(300, 64, dtype=torch.double) @ (torch.eye(64, dtype=torch.double) + 0.1 * mix)
    gram = inputs.T @ inputs
    found = sparsegpt(weight, gram, 0.5, percdamp=1e-6)
    best = torch.zeros_like(weight)
    for row, kept in enumerate(found != 0):
        best[row, kept] = torch.linalg.lstsq(inputs[:, kept], (inputs @ weight[row]).unsqueeze(1)).solution.squeeze(1)
    plain = weight * row_mask(weight.abs() * inputs.norm(dim=0), 32)
    masked_only = weight * (found != 0)
    error = output_error(weight, found, inputs)
    assert output_error(weight, best, inputs) <= error < output_error(weight, plain, inputs)
    assert error < output_error(weight, masked_only, inputs)


def test_scale_counts_and_precision(problem):
    """The Gram matrix's scale does not matter, a block loses one more than the floor, half precision comes back."""
    weight, inputs = problem
    gram = inputs.T @ inputs
    found = sparsegpt(weight, gram, 0.5)
    assert torch.allclose(found, sparsegpt(weight, gram * 2 / 300, 0.5), atol=1e-10)
    assert int((sparsegpt(weight, gram, Fraction(1, 2), blocksize=12) == 0).sum()) == 2 * (36 + 1)
    assert torch.equal(sparsegpt(weight, gram, 0), weight) and not sparsegpt(weight, gram, 1).any()
    half = weight.bfloat16()
    rounded = sparsegpt(half, gram, 0.5)
    assert rounded.dtype == torch.bfloat16 and torch.equal(rounded, sparsegpt(half.double(), gram, 0.5).bfloat16())


def test_uncorrelated_inputs_need_no_update(problem):
    weight = problem[0]
    found = sparsegpt(weight, torch.eye(24, dtype=torch.double) * 7, 0.5)
    assert torch.allclose(found[found != 0], weight[found != 0])
    assert weight[found == 0].abs().max() <= weight[found != 0].abs().min()


def test_silent_inputs_and_empty_rows_are_no_nan(problem):
    weight, inputs = problem
    weight[2], inputs[:, [0, 9]] = 0, 0
    gram = inputs.T @ inputs
    found = sparsegpt(weight, gram, 0.5)
    assert found.isfinite().all() and not found[:, [0, 9]].any() and not found[2].any()
    assert torch.equal(sparsegpt(weight, torch.zeros_like(gram), 0.5), torch.zeros_like(weight))


def test_the_factor_is_that_of_the_damped_inverse(problem):
    gram = problem[1].T @ problem[1]
    factor, dead = inverse_factor(gram, 0.1, "w")
    damped = gram + 0.1 * gram.diagonal().mean() * torch.eye(24, dtype=torch.double)
    assert torch.allclose(factor.T @ factor, torch.linalg.inv(damped))
    assert torch.equal(factor, factor.triu()) and not dead.any()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_cannot_be_solved_is_named(problem, value):
    gram = problem[1].T @ problem[1]
    with pytest.raises(SparsitySolverError, match="does not divide the 24 columns of layers.0.key"):
        sparsegpt(problem[0], gram, 0.5, Pattern(2, 5), name="layers.0.key")
    gram[3, 3] = value
    with pytest.raises(SparsitySolverError, match=r"Gram matrix of layers\.4\.up is not positive definite"):
        sparsegpt(problem[0], gram, 0.5, name="layers.4.up")
