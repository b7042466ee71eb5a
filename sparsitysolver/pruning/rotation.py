"""SliceGPT's mathematics: norms folded into linears, principal components of the stream, widths.

Source: Ashkboos et al., SliceGPT: Compress Large Language Models by Deleting Rows and Columns, ICLR 2024, section 3.
Weights are (out, in); all functions compute in float64 and return it, so that only storing rounds.
"""

from fractions import Fraction

import torch

from sparsitysolver.models.shape import Shape

DAMPING = 0.01  # share of the mean diagonal added before the eigendecomposition
INTERVAL, INTERVAL_FROM = 8, 512  # widths are multiples of 8 in streams of 512 channels or more


def fold_gain(
    weight: torch.Tensor, bias: torch.Tensor | None, gain: torch.Tensor, shift: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A linear that follows a norm, with the norm's gain (in,) and shift (in,) folded in.

    Returns:
        W diag(gain) and bias + W shift (None where there is neither).
    """
    wide = weight.double()
    shifted = None if shift is None else wide @ shift.double()
    if bias is not None:
        shifted = bias.double() if shifted is None else bias.double() + shifted
    return wide * gain.double(), shifted


def centre_outputs(tensor: torch.Tensor) -> torch.Tensor:
    """Subtract the mean over output channels: of a weight (out, in) column by column, of a bias (out,) at once."""
    wide = tensor.double()
    return wide - wide.mean(dim=0, keepdim=True)


def principal_components(gram: torch.Tensor) -> torch.Tensor:
    """Orthogonal Q (d, d) whose columns are the eigenvectors of Σ x xᵀ by descending eigenvalue.

    The stream is neither centred nor normalised (SliceGPT, section 3.3); 1% of the mean diagonal is added, as the
    published code does.
    """
    damped = gram.double().clone()
    damped.diagonal().add_(DAMPING * damped.diagonal().mean())
    return torch.linalg.eigh(damped).eigenvectors.flip(1)


def rounding_interval(hidden: int) -> int:
    """What widths are multiples of: 8 from 512 channels upwards, 1 below (design: decision 4)."""
    return INTERVAL if hidden >= INTERVAL_FROM else 1


def sliced_width(hidden: int, slicing: float) -> int:
    """k = (1 - slicing) * hidden, rounded down to the interval; exact for decimal fractions."""
    interval = rounding_interval(hidden)
    return int((1 - Fraction(str(slicing))) * hidden) // interval * interval


def stored_weights(shape: Shape, width: int) -> int:
    """Weights that a model sliced to ``width`` stores in its decoder layers, shortcuts included, biases not."""
    channels = shape.groups * shape.group_channels
    read = channels + 2 * shape.groups * shape.head_dim + shape.ffn_inputs * shape.ffn  # rows of q, k, v, FFN inputs
    written = channels + shape.ffn  # columns of both output projections
    last = (shape.hidden - width) * (shape.ffn + width)  # the last FFN output and its shortcut stay full width
    return shape.layers * width * (read + written + 2 * width) + last


def removed_fraction(shape: Shape, width: int) -> float:
    """Achieved sparsity: 1 - stored weights / prunable weights of the dense model; negative near full width."""
    return 1 - stored_weights(shape, width) / shape.prunable_weights


def matched_width(shape: Shape, sparsity: float) -> int:
    """The width whose removed fraction of prunable weights is closest to ``sparsity``; the larger one at a draw."""
    interval = rounding_interval(shape.hidden)
    widths = range(shape.hidden // interval * interval, 0, -interval)
    return min(widths, key=lambda width: abs(removed_fraction(shape, width) - sparsity), default=0)
