"""SVD-LLM's mathematics: truncation-aware factors of a linear, and their closed-form update.

Source: Wang et al., SVD-LLM: Truncation-aware Singular Value Decomposition for LLM Compression, ICLR 2025.
"""

from fractions import Fraction

import torch

from sparsitysolver.errors import SparsitySolverError

SVD_DTYPE = torch.float32  # as published; Cholesky and products are float64
RIDGE = 1e-6  # added above the smallest eigenvalue where the Gram matrix is not positive definite


def kept_rank(rows: int, columns: int, sparsity: float) -> int:
    """Rank whose two factors hold at most (1 - sparsity) of a (rows, columns) matrix's weights."""
    return int(rows * columns * (1 - Fraction(str(sparsity))) / (rows + columns))


def whitener(gram: torch.Tensor) -> torch.Tensor:
    """Lower S (in, in), float64, with S Sᵀ = Σ x xᵀ (truncation-aware data whitening).

    A Gram matrix that is not positive definite is lifted by RIDGE above its smallest eigenvalue; one of activations
    that are not finite is an error.
    """
    wide = gram.double()
    factor, failed = torch.linalg.cholesky_ex(wide)
    if not int(failed):
        return factor
    if wide.isfinite().all():
        lifted = wide.clone()
        # Rounding moves eigenvalues by about eps times the largest one; a smaller lift could be lost in it.
        values = torch.linalg.eigvalsh(wide)
        dust = len(wide) * torch.finfo(torch.float64).eps * values[-1].abs()
        lifted.diagonal().add_(torch.clamp(-values[0], min=0) + RIDGE + dust)
        factor, failed = torch.linalg.cholesky_ex(lifted)
        if not int(failed):
            return factor
    raise SparsitySolverError(f"the Gram matrix of {len(gram)} channels holds non-finite activations.")


def low_rank_factors(weight: torch.Tensor, root: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors up (out, rank) and down (rank, in) of W that lose least on inputs whose Gram matrix is S Sᵀ.

    ``root`` is S (in, in), made by :func:`whitener` once for all linears that share their input.
    With W S = U Σ Vᵀ: up = U_r √Σ_r and down = √Σ_r V_rᵀ S⁻¹. The latter is computed as √Σ_r⁻¹ U_rᵀ W, the same by
    W = U Σ Vᵀ S⁻¹ and free of the inverse, which a nearly singular S would make inexact. Both are in W's dtype.
    """
    wide = weight.double()
    left, values, _ = torch.linalg.svd((wide @ root).to(SVD_DTYPE), full_matrices=False)
    left, values = left[:, :rank].double(), values[:rank].double()
    # Directions that the inputs do not excite have no scale to share between the factors.
    root = torch.where(values > torch.finfo(SVD_DTYPE).eps * values[:1], values, torch.ones_like(values)).sqrt()
    return (left * root).to(weight.dtype), ((left / root).T @ wide).to(weight.dtype)


def updated_factor(weight: torch.Tensor, down: torch.Tensor, gram: torch.Tensor) -> torch.Tensor:
    """The outer factor (out, rank) that minimises ‖X Wᵀ - X downᵀ upᵀ‖² over the inputs X seen now (closed form).

    Normal equations: up = W G downᵀ (down G downᵀ)⁻¹ with G = Xᵀ X (in, in) of what the compressed layers before give;
    the pseudo-inverse where inputs do not span all of ``down``.
    """
    inner, wide = down.double(), gram.double()
    projected = wide @ inner.T
    normal = inner @ projected
    inverse = torch.linalg.pinv((normal + normal.T) / 2, hermitian=True)
    return (weight.double() @ projected @ inverse).to(weight.dtype)
