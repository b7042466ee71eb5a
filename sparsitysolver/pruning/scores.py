"""Which items to keep: how much a channel of a module's last linear, or a single weight, matters.

Every criterion is a pure function of a linear's weight W (out, channels) and the moments of its input X. Structured
ones score the input channels of the last linear of attention or FFN; a group gathers its channels' scores, and within a
unit the highest are kept. Unstructured ones score every weight against the others of its row.
"""

from collections.abc import Callable

import torch

from sparsitysolver.errors import known
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.pruning.units import STRUCTURED, UNSTRUCTURED
from sparsitysolver.statistics.collect import OUTPUT_TAPS, Moments, Statistics

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


def channel_magnitude(weight: torch.Tensor, moments: Moments) -> torch.Tensor:
    """‖W_:j‖₂² of the last linear: uses no data."""
    return weight.double().square().sum(dim=0)


def wanda(weight: torch.Tensor, moments: Moments) -> torch.Tensor:
    """|W_ij| · ‖X_j‖₂, float32 (Wanda, section 3; the paper's criterion for unstructured pruning).

    The norm is over all calibration tokens; the published code divides its square by the number of sequences, one
    scale for all columns. A column that is always zero scores 0 throughout and goes first.
    """
    return weight.abs().float() * moments.norm.to(weight.device).float()


def magnitude(weight: torch.Tensor, moments: Moments | None = None) -> torch.Tensor:
    """|W_ij|, float32: uses no data."""
    return weight.abs().float()


CRITERIA: dict[str, dict[str, Criterion]] = {
    STRUCTURED: {"l2": l2, "wanda_sp": wanda_sp, "fluctuation": fluctuation, "magnitude": channel_magnitude},
    UNSTRUCTURED: {"wanda": wanda, "magnitude": magnitude},
}


def criterion(granularity: str, name: str) -> Criterion:
    """A criterion of a granularity by name, or an error with near names."""
    criteria = CRITERIA[granularity]
    return criteria[known(f"{granularity} criterion", name, criteria)]


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


def score_units(adapter: Adapter, statistics: Statistics, criterion_name: str) -> list[torch.Tensor]:
    """Scores of the dense model's groups and neurons by a structured criterion (paper, section 3.1), on the CPU.

    In the order of ``structured_units``: groups of layer 0, neurons of layer 0, …
    """
    score = criterion(STRUCTURED, criterion_name)
    scores = []
    for index, layer in enumerate(adapter.layers):
        attention, ffn = (
            score(layer.linears[tap].weight.detach().cpu(), statistics.of(index, tap).cpu()) for tap in OUTPUT_TAPS
        )
        scores += [group_scores(attention, adapter.shape.group_channels), ffn]
    return scores
