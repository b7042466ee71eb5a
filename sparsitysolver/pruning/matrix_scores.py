"""Scores of single weights: how much each matters to its row (pure tensor mathematics)."""

from collections.abc import Callable

import torch

from sparsitysolver.errors import unknown_name
from sparsitysolver.statistics.moments import Moments

MatrixCriterion = Callable[[torch.Tensor, Moments], torch.Tensor]


def wanda(weight: torch.Tensor, moments: Moments) -> torch.Tensor:
    """|W_ij| · ‖X_j‖₂, float32 (Wanda, section 3; the paper's criterion for unstructured pruning).

    The norm is over all calibration tokens; the published code divides its square by the number of sequences, one
    scale for all columns. A column that is always zero scores 0 throughout and goes first.
    """
    return weight.abs().float() * moments.norm.to(weight.device).float()


def magnitude(weight: torch.Tensor, moments: Moments | None = None) -> torch.Tensor:
    """|W_ij|, float32: uses no data."""
    return weight.abs().float()


MATRIX_CRITERIA: dict[str, MatrixCriterion] = {"wanda": wanda, "magnitude": magnitude}


def matrix_criterion(name: str) -> MatrixCriterion:
    """An unstructured criterion by name, or an error with near names."""
    if name not in MATRIX_CRITERIA:
        raise unknown_name("unstructured criterion", name, MATRIX_CRITERIA)
    return MATRIX_CRITERIA[name]
