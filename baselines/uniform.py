"""The same sparsity for every layer."""

from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.units import uniform_kept

NAME = "Uniform"
REFERENCE = "SparsitySolver, table 5 ('Recon' row): the same preserved ratio 1 - P for all units"


def allocate(job: Job) -> list[float]:
    """Groups max(1, round(G(1-P))), then as many neurons as the layer's budget holds; columns of every matrix alike."""
    return uniform_kept(job.units, job.sparsity, job.granularity, job.whole)
