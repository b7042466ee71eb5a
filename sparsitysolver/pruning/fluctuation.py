"""FLAP's mathematics: standardised fluctuation scores, one ranking of all items, compensation by output biases.

Source: An et al., Fluctuation-based Adaptive Structured Pruning for Large Language Models, AAAI 2024.
"""

from collections.abc import Sequence

import torch


def standardise(scores: torch.Tensor) -> torch.Tensor:
    """(scores - mean) / unbiased standard deviation over the channels of one layer, (channels,) to (channels,).

    Zeros where all scores are equal (or there is only one): such a layer says nothing about its channels.
    """
    centred = scores - scores.mean()
    if len(scores) < 2:
        return centred
    deviation = scores.std()
    # Equal scores may differ from their own mean by rounding: without the margin that dust would be blown up to 1.
    dust = torch.finfo(scores.dtype).eps * scores.abs().max() * len(scores)
    return centred / deviation if deviation > dust else torch.zeros_like(scores)


def global_counts(scores: Sequence[torch.Tensor], weights_per_item: Sequence[int], sparsity: float) -> list[int]:
    """How many items each unit keeps when all items of all units are ranked in one list by ``scores``, (items,) each.

    The list is cut where the weights before the cut are closest to (1 - sparsity) of all weights; at a draw the
    shorter list wins. No unit has a floor: 0 is a legal count (FLAP, structure AL-AM).
    """
    pairs = list(zip(scores, weights_per_item, strict=True))
    flat = torch.cat([unit.double() for unit, _ in pairs])
    owners = torch.cat([torch.full((len(unit),), index) for index, (unit, _) in enumerate(pairs)])
    weights = torch.cat([torch.full((len(unit),), weight) for unit, weight in pairs])
    order = torch.argsort(flat, descending=True, stable=True)
    held = torch.cat([torch.zeros(1, dtype=torch.long), weights[order].cumsum(0)])  # weights of the first n items
    cut = int((held.double() - (1 - sparsity) * int(held[-1])).abs().argmin())
    return torch.bincount(owners[order[:cut]], minlength=len(pairs)).tolist()


def compensated_bias(
    weight: torch.Tensor, bias: torch.Tensor | None, mean: torch.Tensor, kept: torch.Tensor
) -> torch.Tensor:
    """Output bias (out,) that stands in for removed input channels: bias + W_P mean_P (FLAP, bias compensation).

    ``weight`` is (out, channels) before pruning, ``mean`` (channels,); P are all channels but the indices ``kept``.
    """
    removed = mean.double().to(weight.device).clone()
    removed[kept.to(weight.device)] = 0
    compensation = weight.double() @ removed
    return (compensation if bias is None else bias.double() + compensation).to(weight.dtype)
