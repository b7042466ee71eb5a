"""Magnitude pruning: the smallest weights of every matrix go; uses no data."""

from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.masks import check_scores, matrix_mask, pattern_mask
from sparsitysolver.pruning.matrix_scores import magnitude

NAME = "Magnitude"
REFERENCE = "Han et al., NeurIPS 2015; per matrix, as in the published code of SparseGPT and Wanda"
PATTERNS = True


def prune(job: Job, kept: list[int]) -> Outcome:
    """Zero the lowest weights of matrix i until ``kept[i]`` columns' worth stay; N of every M with a pattern."""
    for unit, count, (_, linear) in zip(job.units, kept, job.adapter.prunable_linears(), strict=True):
        scores = check_scores(magnitude(linear.weight), unit.name)
        removed = (unit.size - count) * unit.weights_per_item
        mask = pattern_mask(scores, job.pattern, unit.name) if job.pattern else matrix_mask(scores, removed)
        linear.weight.data.masked_fill_(~mask, 0)
    return Outcome(None)
