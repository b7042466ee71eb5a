"""BESA: block by block, learn how sparse each matrix (or each row) should be; which weights go is Wanda's order."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from prodigyopt import Prodigy
from torch import nn

from sparsitysolver.pruning import besa
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.masks import check_scores
from sparsitysolver.pruning.scores import wanda
from sparsitysolver.statistics.collect import Moments, layer_taps, recording, tap_of
from sparsitysolver.statistics.replay import LayerReplay

NAME = "BESA"
REFERENCE = "Xu et al., ICLR 2024: blockwise parameter-efficient sparsity allocation; no LoRA, no weight update"
PENALTY = 5  # weight of the sparsity penalty in all published recipes
# Prodigy's step-size coefficient in the published recipes for 7B: a ratio a matrix, learned from the dense model's
# outputs, and a ratio a row, learned from the block's own. The published code's default goes with neither.
D_COEF_DENSE, D_COEF_ROWS, D_COEF = 50, 5, 1


@dataclass(frozen=True)
class _Matrix:
    """One matrix of the block at work: its parameter, its weights' places in Wanda's order, its logits."""

    parameter: str
    weight: torch.Tensor
    places: torch.Tensor
    logits: torch.Tensor


def skip(job: Job) -> str | None:
    """N:M patterns fix the sparsity of every row."""
    return f"BESA learns how sparse rows are; {job.pattern} leaves nothing to learn" if job.pattern else None


def prune(job: Job, kept: list[int] | None) -> Outcome:
    """Learn every block's sparsities on the pruned prefix, one pass over the windows, and prune by them.

    Options: ``rows=yes`` learns a sparsity a row instead of one a matrix; ``prune_dense=yes`` reconstructs what the
    dense model's block gives, instead of what the block itself gives on the pruned prefix; ``exact=yes`` shifts each
    block's sparsities by a constant so that the job's sparsity is met to the weight; ``d_coef`` and ``penalty`` are the
    optimiser's step-size coefficient and the weight of the sparsity penalty.
    """
    low, high = besa.smoothed_range()
    smooth = low <= job.sparsity <= high
    replay = LayerReplay(job.adapter, job.ids(), batch_tokens=1)  # one window a step
    dense = LayerReplay(job.adapter, job.ids(), batch_tokens=1) if job.flag("prune_dense") else None
    layers, removed, sparsities = job.adapter.shape.layers, 0, []
    for index in range(layers):
        job.progress(f"learn layer {index + 1}/{layers}")
        with recording(layer_taps(job.adapter, index), gram=False) as moments:
            reference = replay.run(index)
        if dense is not None:
            dense.advance(index)
            reference = dense.hidden
        block = _block(job, index, moments)
        _learn(job, replay, index, block, reference, smooth)
        gone = _apply(job, index, block, removed, smooth)
        removed += gone
        sparsities.append(gone / sum(matrix.weight.numel() for matrix in block))
        replay.advance(index)
    facts = {
        "probabilities": "softmax of sigmoid" if smooth else "softmax",
        "achieved_sparsity": removed / sum(unit.weights for unit in job.units),
        "least_block_sparsity": min(sparsities),
        "most_block_sparsity": max(sparsities),
    }
    return Outcome(None, facts)


def _block(job: Job, index: int, moments: dict[str, Moments]) -> list[_Matrix]:
    module = job.adapter.layer_modules[index]
    names = {part: name for name, part in module.named_modules()}
    matrices = []
    for role, linear in job.adapter.layers[index].linears.items():
        weight = linear.weight.detach()
        scores = check_scores(wanda(weight, moments[tap_of(role)]), f"layers.{index}.{role}")
        rows = weight.shape[0] if job.flag("rows") else 1
        # all 0: every candidate as probable as any other, a sparsity of 0.5
        logits = nn.Parameter(torch.zeros(rows, besa.STEPS + 1, dtype=torch.double, device=weight.device))
        matrices.append(_Matrix(f"{names[linear]}.weight", weight, besa.ascending_places(scores), logits))
    return matrices


def _learn(
    job: Job, replay: LayerReplay, index: int, block: Sequence[_Matrix], reference: list[torch.Tensor], smooth: bool
) -> None:
    """One epoch over the windows: reconstruct the reference outputs at the target sparsity."""
    logits = [matrix.logits for matrix in block]
    sizes = [matrix.weight.numel() for matrix in block]
    d_coef = D_COEF_DENSE if job.flag("prune_dense") else D_COEF_ROWS if job.flag("rows") else D_COEF
    optimiser = Prodigy(logits, lr=1.0, d_coef=job.option("d_coef", d_coef))
    half = block[0].weight.dtype == torch.float16  # whose gradients would vanish unscaled
    scaler = torch.amp.GradScaler(block[0].weight.device.type, enabled=half)
    for batch, target in enumerate(reference):
        betas = [besa.probabilities(matrix.logits, smooth) for matrix in block]
        weights = {
            matrix.parameter: matrix.weight * besa.straight_through_mask(beta, matrix.places, matrix.weight.dtype)
            for matrix, beta in zip(block, betas, strict=True)
        }
        loss = besa.reconstruction_loss(target, replay.run_with(index, batch, weights))
        sparsity = besa.block_sparsity([beta @ besa.candidates(beta.device) for beta in betas], sizes)
        off = ((sparsity - job.sparsity) / job.sparsity).square()  # as in the published code
        loss = loss + job.option("penalty", PENALTY) * off
        optimiser.zero_grad()
        scaler.scale(loss).backward(inputs=logits)  # the model's own parameters stay without gradients
        scaler.step(optimiser)
        scaler.update()


@torch.no_grad()
def _apply(job: Job, index: int, block: Sequence[_Matrix], removed: int, smooth: bool) -> int:
    """Zero what the found sparsities remove from a block; returns how many weights that are."""
    alphas = [besa.probabilities(matrix.logits, smooth) @ besa.candidates(matrix.logits.device) for matrix in block]
    columns = [matrix.weight.shape[1] for matrix in block]
    if job.flag("exact"):
        per_row = [alpha.expand(len(matrix.weight)) for alpha, matrix in zip(alphas, block, strict=True)]
        through = besa.removed_through(index, sum(matrix.weight.numel() for matrix in block), job.sparsity)
        counts = besa.shifted_counts(per_row, columns, through - removed)
    else:
        counts = [besa.removed_at(alpha, width) for alpha, width in zip(alphas, columns, strict=True)]
    gone = 0
    for matrix, count in zip(block, counts, strict=True):
        goes = matrix.places < count.unsqueeze(1)
        gone += int(goes.sum())
        matrix.weight.masked_fill_(goes, 0)  # shares its memory with the model
    return gone
