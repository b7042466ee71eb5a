"""A straight line over depth: early layers keep more than late ones; uses no data."""

from sparsitysolver.pruning.allocation import spread
from sparsitysolver.pruning.job import Job

NAME = "Ramp"
REFERENCE = "a plain arithmetic ramp over depth, as in ATP (arXiv 2502.14770) without its search for the slope"


def allocate(job: Job) -> list[float]:
    """Layer sparsities from P - slope in the first layer to P + slope in the last."""
    height = [-float(layer) for layer in range(job.adapter.shape.layers)]
    return spread(job, height, job.option("slope", 0.15))
