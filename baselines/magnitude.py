"""Magnitude pruning: the smallest weights of every matrix go; uses no data."""

from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.masks import check_scores, matrix_mask, pattern_mask
from sparsitysolver.pruning.scores import magnitude
from sparsitysolver.pruning.units import sparsity_of

NAME = "Magnitude"
REFERENCE = "Han et al., NeurIPS 2015; per matrix, as in the published code of SparseGPT and Wanda"
PATTERNS, WHOLE = True, False


def prune(job: Job, kept: list[float]) -> Outcome:
    """Zero the lowest weights of matrix i at the sparsity of ``kept[i]`` columns' worth; N of every M by a pattern."""
    for unit, count, (_, linear) in zip(job.units, kept, job.adapter.prunable_linears(), strict=True):
        scores = check_scores(magnitude(linear.weight), unit.name)
        if job.pattern:
            mask = pattern_mask(scores, job.pattern, unit.name)
        else:
            mask = matrix_mask(scores, sparsity_of(unit, count))
        linear.weight.data.masked_fill_(~mask, 0)
    return Outcome(None)
