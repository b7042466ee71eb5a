"""Which attention groups and neurons to keep: scores of the input channels of a module's last linear.

Every criterion is a pure function of the last linear's weight W (out, channels) and the moments of its input X.
A group's score gathers its channels' scores; within a unit the highest scores are kept.
"""

from collections.abc import Callable

import torch

from sparsitysolver.errors import unknown_name
from sparsitysolver.statistics.moments import Moments

Criterion = Callable[[torch.Tensor, Moments], torch.Tensor]


def l2(weight: torch.Tensor, moments: Moments) -> torch.Tensor:
    """‖X_j‖₂², the squared l2 norm of the activations (the paper's criterion, appendix A); groups add up squares.

    The square keeps the order of the norm and makes a group's score √(Σ_j ‖X_j‖²) monotonic in the sum.
    """
    return moments.squares


def wanda_sp(weight: torch.Tensor, moments: Moments) -> torch.Tensor:
    """mean_i |W_ij| · ‖X_j‖₂ (structured Wanda as in FLAP's repository)."""
    return weight.abs().double().mean(dim=0) * moments.norm


def fluctuation(weight: torch.Tensor, moments: Moments) -> torch.Tensor:
    """Var(X_j) · ‖W_:j‖₂² (FLAP, WIFV)."""
    return moments.variance * weight.double().square().sum(dim=0)


def magnitude(weight: torch.Tensor, moments: Moments) -> torch.Tensor:
    """‖W_:j‖₂² of the last linear: uses no data."""
    return weight.double().square().sum(dim=0)


CRITERIA: dict[str, Criterion] = {
    "l2": l2,
    "wanda_sp": wanda_sp,
    "fluctuation": fluctuation,
    "magnitude": magnitude,
}


def criterion(name: str) -> Criterion:
    """A structured criterion by name, or an error with near names."""
    if name not in CRITERIA:
        raise unknown_name("structured criterion", name, CRITERIA)
    return CRITERIA[name]


def group_scores(channel_scores: torch.Tensor, channels_per_group: int) -> torch.Tensor:
    """Sum of the channel scores of every group: (groups * channels_per_group,) to (groups,)."""
    return channel_scores.view(-1, channels_per_group).sum(dim=1)


def ranking(scores: torch.Tensor) -> torch.Tensor:
    """Indices from the highest score to the lowest; equal scores keep their order."""
    return torch.argsort(scores, descending=True, stable=True)


def kept_indices(scores: torch.Tensor, count: int) -> torch.Tensor:
    """The ``count`` highest-scoring indices, in ascending order of index."""
    return ranking(scores)[:count].sort().values


def channels_of(groups: torch.Tensor, channels_per_group: int) -> torch.Tensor:
    """Channel indices of whole groups, in the groups' order: (n,) to (n * channels_per_group,)."""
    offsets = torch.arange(channels_per_group, device=groups.device)
    return (groups[:, None] * channels_per_group + offsets).reshape(-1)
