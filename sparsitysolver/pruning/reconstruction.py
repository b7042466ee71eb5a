"""Compensation through reconstruction (paper, section 3.2): removed input channels as combinations of kept ones."""

import torch

from sparsitysolver.errors import SparsitySolverError

RIDGE = 0.9  # the paper's lambda (section 4.4)


def scale_factors(gram: torch.Tensor, kept: torch.Tensor, removed: torch.Tensor, ridge: float) -> torch.Tensor:
    """S minimising ‖X_P - S X_K‖² + λ‖S‖² for all removed channels at once (equation 8; deviation 20: no intercept).

    S = G_PK (G_KK + λI)⁻¹ with G = Σ x xᵀ, by one Cholesky factorisation in float64.

    Args:
        gram: (channels, channels), float64.
        kept: indices K of kept channels.
        removed: indices P of removed channels.
        ridge: λ, added to the diagonal of the un-normalised sum.

    Returns:
        (len(removed), len(kept)).
    """
    inner = gram[kept][:, kept].double()
    inner.diagonal().add_(ridge)
    cross = gram[kept][:, removed].double()
    factor, failed = torch.linalg.cholesky_ex(inner)
    if int(failed) or not cross.isfinite().all():
        raise SparsitySolverError(
            f"the Gram matrix of {len(kept)} kept channels is not positive definite with lambda {ridge}: non-finite "
            "activations, or lambda too small."
        )
    return torch.cholesky_solve(cross, factor).T


def reconstruct(weight: torch.Tensor, gram: torch.Tensor, kept: torch.Tensor, ridge: float = RIDGE) -> torch.Tensor:
    """Kept columns of the last linear with the removed ones folded in: W_K + W_P S (equation 4).

    Args:
        weight: (out, channels) before pruning.
        gram: (channels, channels) Σ x xᵀ of the linear's input.
        kept: indices of kept channels, in the order of the result's columns.
        ridge: λ.

    Returns:
        (out, len(kept)) in the dtype of ``weight``.
    """
    mask = torch.ones(weight.shape[1], dtype=torch.bool, device=weight.device)
    mask[kept] = False
    removed = mask.nonzero().squeeze(1)
    wide = weight.double()
    if len(kept) == 0 or len(removed) == 0:
        return weight[:, kept]
    factors = scale_factors(gram.to(weight.device), kept, removed, ridge)
    return (wide[:, kept] + wide[:, removed] @ factors).to(weight.dtype)
