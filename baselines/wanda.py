"""Wanda: of every row drop the weights of the smallest |W| times input norm, layer by layer on the pruned prefix."""

import torch

from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.masks import check_scores, pattern_mask, row_mask
from sparsitysolver.pruning.matrices import Matrix, prune_matrices
from sparsitysolver.pruning.scores import criterion
from sparsitysolver.pruning.units import UNSTRUCTURED

NAME = "Wanda"
REFERENCE = "Sun et al., ICLR 2024: weights times activations, per output, no weight update"
PATTERNS = True


def prune(job: Job, kept: list[int]) -> Outcome:
    """Keep ``kept[i]`` weights in every row of matrix i, or N of every M where the job asks for a pattern."""
    score = criterion(UNSTRUCTURED, job.criterion)

    def change(matrix: Matrix) -> torch.Tensor:
        name = matrix.unit.name
        scores = check_scores(score(matrix.weight, matrix.moments), name)
        mask = pattern_mask(scores, job.pattern, name) if job.pattern else row_mask(scores, matrix.kept)
        return matrix.weight.masked_fill(~mask, 0)

    prune_matrices(job, kept, change)
    return Outcome(None)
