"""BESA's learned sparsities: probabilities, masks and their gradient, the reachable range, exact counts."""

import math

import pytest
import torch

from sparsitysolver.pruning import besa


def places_of(rows=3, columns=20, seed=0):
    torch.manual_seed(seed)
    return besa.ascending_places(torch.rand(rows, columns))


def test_candidates_fall_from_one_to_zero_and_places_order_as_a_stable_sort_does():
    values = besa.candidates()
    assert len(values) == 101 and values[0] == 1 and values[-1] == 0 and values[30] == 0.7
    assert besa.ascending_places(torch.tensor([[2.0, 1.0, 2.0, 0.0]])).tolist() == [[2, 1, 3, 0]]


@pytest.mark.parametrize("smooth", [True, False])
def test_probabilities_sum_to_one(smooth):
    torch.manual_seed(0)
    beta = besa.probabilities(30 * torch.randn(4, 101, dtype=torch.double), smooth)
    assert torch.allclose(beta.sum(dim=1), torch.ones(4, dtype=torch.double)) and (beta >= 0).all()
    if smooth:
        assert (beta.amax(dim=1) / beta.amin(dim=1)).max() <= math.e + 1e-9


def test_smoothing_reaches_0376_to_0624():
    low, high = besa.smoothed_range()
    assert (low, high) == (pytest.approx(0.376, abs=1e-3), pytest.approx(0.624, abs=1e-3))
    values, reached = besa.candidates(), []
    for direction in (values - high, low - values):  # the best is to push everything beyond the optimum itself
        reached.append(float((besa.probabilities(1e6 * direction.unsqueeze(0), True) @ values)[0]))
    assert reached == pytest.approx([high, low], abs=1e-9)
    torch.manual_seed(0)
    alphas = besa.probabilities(100 * torch.randn(2000, 101, dtype=torch.double), True) @ values
    assert low <= alphas.min() and alphas.max() <= high
    assert (besa.probabilities(1e6 * (values - 0.9).unsqueeze(0), False) @ values)[0] > high


def test_keep_values_by_hand():
    beta = torch.zeros(1, 101, dtype=torch.double)
    beta[0, 50], beta[0, 75] = 0.25, 0.75  # sparsities 0.5 and 0.25 of four columns: two go, one goes
    assert besa.keep_values(beta, 4).tolist() == [[0.0, 0.75, 1.0, 1.0]]
    # 0.29 of 100 columns is 29, though 100 * 0.29 is 28.999999999999996.
    beta = torch.zeros(1, 101, dtype=torch.double)
    beta[0, 71] = 1
    assert besa.keep_values(beta, 100).sum() == 71
    assert besa.removed_at(torch.tensor([0.29], dtype=torch.double), 100).tolist() == [29]


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("rows", [1, 3])
def test_forward_is_the_hard_mask(rows, smooth):
    torch.manual_seed(1)
    beta = besa.probabilities(torch.randn(rows, 101, dtype=torch.double), smooth)
    places = places_of()
    alpha = beta @ besa.candidates()
    expected = torch.stack([places[row] >= int(20 * alpha[row % rows]) for row in range(3)])
    assert torch.equal(besa.straight_through_mask(beta, places, torch.float32), expected.float())


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("rows", [1, 3])
def test_gradient_is_that_of_the_soft_mask(rows, smooth):
    """Of Σ w · soft keep values, against central differences in float64."""
    torch.manual_seed(2)
    places, weights = places_of(), torch.randn(3, 20, dtype=torch.double)
    logits = torch.randn(rows, 101, dtype=torch.double, requires_grad=True)

    def soft(theta):
        values = besa.keep_values(besa.probabilities(theta, smooth), 20).expand(3, -1)
        return (weights * values.gather(1, places)).sum()

    assert torch.autograd.gradcheck(soft, logits, eps=1e-5, atol=1e-8)
    (expected,) = torch.autograd.grad(soft(logits), logits)
    mask = besa.straight_through_mask(besa.probabilities(logits, smooth), places, torch.double)
    (found,) = torch.autograd.grad((weights * mask).sum(), logits)
    assert expected.abs().max() > 1e-3 and torch.allclose(found, expected, atol=1e-10)


def test_reconstruction_loss_by_hand():
    reference = torch.tensor([[[3.0, 0.0], [4.0, 0.0]]])  # norms 5 and 0: the silent channel is left out
    output = torch.tensor([[[3.0, 1.0], [2.0, 7.0]]])
    assert float(besa.reconstruction_loss(reference, output)) == pytest.approx((2 / 5) ** 2 / 2)
    scale = torch.tensor([10.0, 1.0])  # channels count alike whatever their scale
    assert besa.reconstruction_loss(reference * scale, output * scale) == pytest.approx((2 / 5) ** 2 / 2)


def test_block_sparsity_weighs_matrices_by_their_size():
    alphas = [torch.tensor([0.2, 0.4]), torch.tensor([0.9])]
    assert float(besa.block_sparsity(alphas, [10, 30])) == pytest.approx((0.3 * 10 + 0.9 * 30) / 40)


@pytest.mark.parametrize("removed", [0, 1, 37, 90, 129, 130])
def test_shifted_counts_meet_the_number(removed):
    torch.manual_seed(0)
    alphas = [torch.rand(5, dtype=torch.double), torch.full((4,), 0.5, dtype=torch.double)]
    counts = besa.shifted_counts(alphas, [10, 20], removed)
    assert sum(int(count.sum()) for count in counts) == removed
    for alpha, count, width in zip(alphas, counts, (10, 20), strict=True):
        assert ((count >= 0) & (count <= width)).all()
        order = alpha.argsort()
        assert (count[order].diff() >= -1).all()  # a sparser row stays sparser, up to the weight handed out


def test_shifting_moves_all_rows_by_the_same():
    alphas = [torch.tensor([0.1, 0.5, 0.8], dtype=torch.double)]
    assert besa.shifted_counts(alphas, [100], 170)[0].tolist() == [20, 60, 90]


def test_blocks_add_up_to_the_models_number():
    through = [besa.removed_through(block, 1001, 0.7) for block in range(10)]
    assert through[0] == 701 and through[-1] == 7007
    assert all(step in (700, 701) for step in torch.tensor(through).diff().tolist())
