"""SliceGPT's mathematics: norms folded into linears, principal components of the stream.

Source: Ashkboos et al., SliceGPT: Compress Large Language Models by Deleting Rows and Columns, ICLR 2024, section 3.
Weights are (out, in); all functions compute in float64 and return it, so that only storing rounds.
"""

import torch

DAMPING = 0.01  # share of the mean diagonal added before the eigendecomposition


def fold_gain(
    weight: torch.Tensor, bias: torch.Tensor | None, gain: torch.Tensor, shift: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """W diag(gain) and bias + W shift (or None) of a linear behind a norm of that gain and shift, each (in,)."""
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
