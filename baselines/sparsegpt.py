"""SparseGPT: remove weights column by column and let the columns behind make up for them."""

import torch

from sparsitysolver.pruning.job import GramUse, Job, Outcome, widest_input
from sparsitysolver.pruning.matrices import Matrix, prune_matrices
from sparsitysolver.pruning.obs import BLOCKSIZE, PERCDAMP, sparsegpt
from sparsitysolver.pruning.units import sparsity_of
from sparsitysolver.records.seen import CALIBRATION

NAME = "SparseGPT"
REFERENCE = "Frantar and Alistarh, ICML 2023: one-shot optimal brain surgeon, blocks of 128 columns, damping 0.01"
PATTERNS, WHOLE = True, False
GRAM = GramUse(CALIBRATION, widest_input)


def prune(job: Job, kept: list[float]) -> Outcome:
    """Prune matrix i to the sparsity of ``kept[i]`` weights a row, or to N of every M where the job asks for a pattern.

    That number need not be whole: rows of one matrix may keep different numbers, because a mask is chosen over all rows
    of a block. Options ``blocksize`` and ``percdamp``.
    """
    blocksize, percdamp = int(job.option("blocksize", BLOCKSIZE)), job.option("percdamp", PERCDAMP)

    def change(matrix: Matrix) -> torch.Tensor:
        gram = matrix.moments.gram.to(matrix.weight.device)
        sparsity = sparsity_of(matrix.unit, matrix.kept)
        return sparsegpt(matrix.weight, gram, sparsity, job.pattern, blocksize, percdamp, matrix.unit.name)

    prune_matrices(job, kept, change, gram=True)
    return Outcome(None)
