"""Wanda's masks from the dense model's statistics alone: the very candidate that an unstructured search scored."""

import torch

from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.masks import check_scores, row_ranks
from sparsitysolver.pruning.matrices import Matrix, prune_matrices
from sparsitysolver.pruning.scores import criterion
from sparsitysolver.pruning.units import UNSTRUCTURED

NAME = "Wanda, static scores"
REFERENCE = "SparsitySolver, section 3.1: scores do not change during the search; Sun et al., ICLR 2024"


def prune(job: Job, kept: list[int]) -> Outcome:
    """Keep the ``kept[i]`` best weights of every row of matrix i by the dense model's scores."""
    score = criterion(UNSTRUCTURED, job.criterion)

    def change(matrix: Matrix) -> torch.Tensor:
        scores = check_scores(score(matrix.weight, matrix.moments), matrix.unit.name)
        return matrix.weight.masked_fill(row_ranks(scores) >= matrix.kept, 0)

    prune_matrices(job, kept, change, static=True)
    return Outcome(None)
