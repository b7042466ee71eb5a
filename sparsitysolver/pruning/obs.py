"""SparseGPT's solver: optimal brain surgeon, column by column with one shared inverse (pure tensor mathematics).

Everything is float64: the published code works in float32 because its Gram matrices are; ours add float32 blocks in
float64, the cost stays cubic in the columns either way, and the result can be held against an explicit solution.
"""

from collections.abc import Callable
from fractions import Fraction

import torch

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.masks import Pattern, check_scores, matrix_mask, pattern_mask

BLOCKSIZE = 128  # columns whose mask is chosen together (published code)
PERCDAMP = 0.01  # damping as a fraction of the mean diagonal (published code)

# (weights (rows, n), U_jj (n,)) -> whether each weight goes (rows, n)
Choice = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def sparsegpt(
    weight: torch.Tensor,
    gram: torch.Tensor,
    sparsity: float | Fraction,
    pattern: Pattern | None = None,
    blocksize: int = BLOCKSIZE,
    percdamp: float = PERCDAMP,
    name: str = "the matrix",
) -> torch.Tensor:
    """A matrix with weights removed and the others updated to make up for them (SparseGPT, algorithm 1).

    Args:
        weight: (rows, columns) before pruning; the result has its dtype.
        gram: (columns, columns) Σ x xᵀ over the calibration tokens, float64.
        sparsity: fraction of every block of columns to remove; 0 changes nothing but dead columns.
        pattern: N:M in place of ``sparsity``: N of every M consecutive columns stay.
        blocksize: columns of a block, whose mask is chosen jointly over all rows.
        percdamp: what is added to the diagonal, as a fraction of its mean.
        name: what errors call the matrix: where it is not finite, or the pattern does not divide its columns.
    """
    factor, dead = inverse_factor(gram, percdamp, name)
    left = check_scores(weight.double(), name).masked_fill(dead, 0)
    span = blocksize
    if pattern:
        pattern.check(name, weight.shape[1])
        span = max(pattern.group, blocksize - blocksize % pattern.group)  # no group may lie across two blocks

    def choose(block: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """The lowest w²/U_jj² of all rows of a block together go, or of every row all but the best of one group."""
        scores = (block / scale).square()
        return ~(pattern_mask(scores, pattern) if pattern else matrix_mask(scores, sparsity))

    for start in range(0, left.shape[1], span):
        end = min(start + span, left.shape[1])
        step = pattern.group if pattern else end - start
        left[:, start:end], errors = prune_block(left[:, start:end], factor[start:end, start:end], choose, step)
        left[:, end:] -= errors @ factor[start:end, end:]
    return left.to(weight.dtype)


def inverse_factor(gram: torch.Tensor, percdamp: float, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Upper U (columns, columns) with (G + damping)⁻¹ = Uᵀ U, and which inputs are dead (columns,).

    Row j of U is, up to scale, the row that optimal brain surgeon needs once the columns before j are fixed: U_jj² and
    U_jj U_j: are the first diagonal entry and row of the inverse of G[j:, j:] (SparseGPT, section 3.3). Inputs that
    were always zero get a diagonal of their own, so that they touch nothing else.
    """
    # The published code scales G by 2/N. Scaling G by a divides U by √a: scores share one factor, and an error over
    # U_jj times U_j: does not change. Damping is relative to the mean diagonal, so it scales along; so does what dead
    # inputs get, where the published code has a 1 of no scale, which hardly moves the mean it is counted in.
    damped = gram.double().clone()
    diagonal = damped.diagonal()
    dead = diagonal == 0
    mean = diagonal.mean() if not dead.all() else diagonal.new_ones(())
    diagonal[dead] = mean
    diagonal += percdamp * mean
    root, failed = torch.linalg.cholesky_ex(damped)
    if int(failed) or not root.isfinite().all():
        raise SparsitySolverError(
            f"the Gram matrix of {name} is not positive definite with percdamp {percdamp}: its activations on the "
            "calibration windows are not finite, or percdamp is too small. Check the model with 'sparsitysolver "
            "preflight', or raise percdamp."
        )
    return torch.linalg.cholesky(torch.cholesky_inverse(root), upper=True), dead


def prune_block(
    block: torch.Tensor, factor: torch.Tensor, choose: Choice, step: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Prune a block (rows, n) column by column, every error spread over the columns after it.

    ``factor`` (n, n) is the block's part of U. Which weights of the next ``step`` columns go is chosen before the first
    of them is pruned. Returns the block, and the errors (rows, n) to spread over the columns behind it.
    """
    block, scale = block.clone(), factor.diagonal()
    errors, gone = torch.zeros_like(block), torch.zeros_like(block, dtype=torch.bool)
    for column in range(block.shape[1]):
        if column % step == 0:
            ahead = slice(column, column + step)
            gone[:, ahead] = choose(block[:, ahead], scale[ahead])
        errors[:, column] = block[:, column] * gone[:, column] / scale[column]
        block[:, column:].addr_(errors[:, column], factor[column, column:], alpha=-1)
    return block.masked_fill(gone, 0), errors  # rounding leaves pruned weights near 0, not at it
