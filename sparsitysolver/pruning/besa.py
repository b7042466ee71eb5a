"""BESA: how many weights each row of a block loses, learned by gradient descent (pure tensor mathematics).

Sparsities are learned as distributions β over 101 candidates; which weights go first is fixed by their scores. Weights
are named by place in their row's ascending order: place 0 goes first.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch

from sparsitysolver.pruning.masks import row_ranks

STEPS = 100  # candidates 1.00, 0.99, ..., 0.00 (published code: sparsity step 0.01)
_ROUNDING = 1e-9  # columns; 32 · 0.4999999999999999 is 16


def candidates(device: torch.device | None = None) -> torch.Tensor:
    """The sparsities c (101,) that a distribution is over, float64, falling from 1 to 0."""
    return torch.arange(STEPS, -1, -1, dtype=torch.double, device=device) / STEPS


def smoothed_range() -> tuple[float, float]:
    """The least and the greatest sparsity that sigmoid smoothing can reach: 0.376 and 0.624.

    Smoothed logits lie within (0, 1), so no candidate is more than e times as probable as another. The extremes give
    every candidate on one side of some place the most and the others the least.
    """
    values, most = candidates(), 0.0
    for place in range(STEPS + 2):
        odds = torch.ones_like(values)
        odds[:place] = math.e
        most = max(most, float(odds @ values / odds.sum()))
    return 1 - most, most


def probabilities(logits: torch.Tensor, smooth: bool) -> torch.Tensor:
    """β (rows, 101) = softmax(σ(θ)) with smoothing, softmax(θ) without (BESA, section 3.2 and its code)."""
    return (logits.sigmoid() if smooth else logits).softmax(dim=-1)


def removed_at(sparsities: torch.Tensor, columns: int | torch.Tensor) -> torch.Tensor:
    """Weights a row loses at a sparsity: floor(columns · α), int64, of the same shape."""
    return (sparsities * columns + _ROUNDING).floor().long()


def keep_values(beta: torch.Tensor, columns: int) -> torch.Tensor:
    """Soft keep values (rows, columns) by place: 1 - Σ_k β_k [place < floor(columns · c_k)]."""
    # Whole numbers, so that no candidate loses a column to rounding.
    counts = columns * torch.arange(STEPS, -1, -1, device=beta.device) // STEPS
    goes = torch.arange(columns, device=beta.device) < counts.unsqueeze(1)
    return 1 - beta @ goes.to(beta.dtype)


def straight_through_mask(beta: torch.Tensor, places: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The hard mask of α = β · c as numbers of ``dtype``, with the gradient of the soft keep values.

    ``beta`` is (rows, 101), or (1, 101) shared by all rows; ``places`` (rows, columns) of :func:`ascending_places`.
    """
    columns = places.shape[1]
    hard = (places >= removed_at(beta.detach() @ candidates(beta.device), columns).unsqueeze(1)).to(dtype)
    soft = keep_values(beta.to(dtype), columns).expand(places.shape[0], -1).gather(1, places)
    return hard + (soft - soft.detach())


def ascending_places(scores: torch.Tensor) -> torch.Tensor:
    """Place of every weight (rows, columns) in the stable ascending order of its row's scores, int64."""
    return scores.shape[1] - 1 - row_ranks(scores).long()


def reconstruction_loss(reference: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """Mean over channels of Σ_t ((reference - output) / ‖reference‖₂)², over the tokens (..., channels) of one batch.

    A channel whose reference is 0 throughout has no scale and is left out of the sum.
    """
    target = reference.float().reshape(-1, reference.shape[-1])
    norm = target.norm(dim=0)
    scale = torch.where(norm > 0, norm, torch.inf)
    return ((target - output.float().reshape(target.shape)) / scale).square().sum() / target.shape[1]


def block_sparsity(alphas: Sequence[torch.Tensor], weights: Sequence[int]) -> torch.Tensor:
    """Mean sparsity of a block's matrices, each the mean of its rows' α (rows,), by their numbers of weights."""
    means = torch.stack([alpha.mean() for alpha in alphas])
    sizes = torch.tensor(weights, dtype=means.dtype, device=means.device)
    return (means * sizes).sum() / sizes.sum()


def shifted_counts(alphas: Sequence[torch.Tensor], columns: Sequence[int], removed: int) -> list[torch.Tensor]:
    """Weights each row loses (rows,) when all sparsities move by one constant and exactly ``removed`` weights go.

    The constant is the greatest at which no more than that go; rows that have most of another weight to lose by then
    lose one more until the number is met. Sparsities stay within [0, 1]. Per matrix, ``alphas`` are the sparsities of
    its rows (rows,), float64, and ``columns`` the weights of a row.
    """
    wide = torch.cat([a * 0 + width for a, width in zip(alphas, columns, strict=True)])
    found = torch.cat(list(alphas))
    low, high = -1.0, 1.0
    for _ in range(60):  # halving [-1, 1] down to float64's precision
        middle = (low + high) / 2
        fits = int(removed_at((found + middle).clamp(0, 1), wide).sum()) <= removed
        low, high = (middle, high) if fits else (low, middle)
    exact = (found + low).clamp(0, 1) * wide
    counts = removed_at((found + low).clamp(0, 1), wide)
    remainder = torch.where(counts < wide, exact - counts, -torch.inf)
    extra = remainder.argsort(descending=True, stable=True)[: removed - int(counts.sum())]
    counts[extra] += 1
    return list(counts.split([len(alpha) for alpha in alphas]))


def removed_through(block: int, block_weights: int, sparsity: float) -> int:
    """Weights that are to be gone after blocks 0 to ``block``, so that the whole model's number is exact."""
    return math.ceil(Fraction(str(sparsity)) * block_weights * (block + 1))
