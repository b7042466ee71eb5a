"""SVD-LLM: every decoder linear as a product of two, truncated where its inputs feel it least."""

import torch
from torch import nn

from sparsitysolver.models.structure import LowRankLinear, low_rank_structure
from sparsitysolver.pruning.job import GramUse, Job, Outcome, widest_input
from sparsitysolver.pruning.whitening import kept_rank, low_rank_factors, updated_factor, whitener
from sparsitysolver.records.seen import CALIBRATION
from sparsitysolver.statistics.collect import Moments, layer_taps, recording, tap_of
from sparsitysolver.statistics.replay import LayerReplay

NAME = "SVD-LLM"
REFERENCE = "Wang et al., ICLR 2025: truncation-aware whitening; closed-form update as an option; no LoRA"
GRAM = GramUse(CALIBRATION, widest_input)
UPDATE_WINDOWS = 16  # at most; on grids they are drawn apart from those of the whitening, as in the published code


def skip(job: Job) -> str | None:
    """Ranks of 0: a linear too small for two factors at this sparsity."""
    for name, linear in job.adapter.prunable_linears():
        if kept_rank(*linear.weight.shape, job.sparsity) < 1:
            return f"{name} of {tuple(linear.weight.shape)} weights has no rank left at sparsity {job.sparsity}"
    return None


def prune(job: Job, kept: list[int] | None) -> Outcome:
    """Factorise layer by layer by the dense model's inputs.

    The dense activations are replayed through each layer while it is still dense, so only one layer's Gram matrices
    are held at a time (8 bytes × (3 hidden² + ffn²): 1.4 GB in LLaMA-7B; twice that with the update). With the option
    ``update=yes`` a second replay carries up to 16 windows of their own through the compressed layers, and refits each
    outer factor on what its linear sees of them in the still dense layer: one pass, before any of its linears changes.
    """
    adapter = job.adapter
    dense = LayerReplay(adapter, job.ids())
    compressed = LayerReplay(adapter, job.reconstruction_ids()[:UPDATE_WINDOWS]) if job.flag("update") else None
    ranks = {}
    for index, module in enumerate(adapter.layer_modules):
        job.progress(f"factorise layer {index + 1}/{adapter.shape.layers}")
        taps = layer_taps(adapter, index)
        with recording(taps, gram=True) as moments:
            dense.advance(index)
        seen = {} if compressed is None else compressed.observe(index, taps)
        roots = {tap: whitener(of.gram) for tap, of in moments.items()}
        for role, linear in adapter.layer(module).linears.items():
            factors = _factorise(linear, roots[tap_of(role)], seen.get(tap_of(role)), job.sparsity)
            adapter.replace(module, role, factors)
            ranks[f"layers.{index}.{role}"] = factors.down.out_features
        if compressed is not None:
            compressed.advance(index)
    facts = {"smallest_rank": min(ranks.values()), "largest_rank": max(ranks.values())}
    return Outcome(low_rank_structure(ranks), facts)


@torch.no_grad()
def _factorise(linear: nn.Linear, root: torch.Tensor, seen: Moments | None, sparsity: float) -> LowRankLinear:
    """A linear's factors, its bias on the outer one; ``seen`` holds the inputs that the update regresses on."""
    weight = linear.weight
    rank = kept_rank(*weight.shape, sparsity)
    up, down = low_rank_factors(weight, root.to(weight.device), rank)
    if seen is not None:
        up = updated_factor(weight, down, seen.gram.to(weight.device))
    factors = LowRankLinear(linear, rank)
    factors.down.weight.copy_(down)
    factors.up.weight.copy_(up)
    if linear.bias is not None:
        factors.up.bias.copy_(linear.bias)
    return factors.requires_grad_(False).train(linear.training)
