"""Compensation through reconstruction (paper, section 3.2): removed input channels as combinations of kept ones."""

import torch

from sparsitysolver.errors import SparsitySolverError

RIDGE = 0.9  # the paper's lambda (section 4.4)


def scale_factors(gram: torch.Tensor, kept: torch.Tensor, removed: torch.Tensor, ridge: float) -> torch.Tensor:
    """S minimising ‖X_P - S X_K‖² + λ‖S‖² for all removed channels at once (equation 8; deviation 20: no intercept).

    S (removed, kept) = G_PK (G_KK + λI)⁻¹ with G = Σ x xᵀ (channels, channels), not normalised, by one Cholesky
    factorisation in float64; ``kept`` and ``removed`` are the indices K and P.
    """
    kept, removed = kept.to(gram.device), removed.to(gram.device)
    rows = gram.index_select(0, kept).double()
    inner, cross = rows.index_select(1, kept), rows.index_select(1, removed)
    inner.diagonal().add_(ridge)
    factor, failed = torch.linalg.cholesky_ex(inner)
    if int(failed) or not cross.isfinite().all():
        raise SparsitySolverError(
            f"the Gram matrix of {len(kept)} kept channels is not positive definite with lambda {ridge}: non-finite "
            "activations, or lambda too small."
        )
    return torch.cholesky_solve(cross, factor).T


def reconstruct(weight: torch.Tensor, gram: torch.Tensor, kept: torch.Tensor, ridge: float = RIDGE) -> torch.Tensor:
    """Kept columns (out, kept) of the last linear with the removed ones folded in: W_K + W_P S (equation 4).

    ``weight`` is (out, channels) before pruning, ``gram`` Σ x xᵀ of its input, ``kept`` indices in the result's order.
    """
    mask = torch.ones(weight.shape[1], dtype=torch.bool, device=weight.device)
    mask[kept] = False
    removed = mask.nonzero().squeeze(1)
    if len(kept) == 0 or len(removed) == 0:
        return weight[:, kept]
    wide, factors = weight.double(), scale_factors(gram.to(weight.device), kept, removed, ridge)
    return (wide[:, kept] + wide[:, removed] @ factors).to(weight.dtype)
