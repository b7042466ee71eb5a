"""SparsitySolver: the strategy that a search found, given as a file or searched for on the spot."""

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.job import Job

NAME = "SparsitySolver"
REFERENCE = "SparsitySolver, section 3.1 and algorithm 1: reinforcement learning allocates the sparsity"


def allocate(job: Job) -> list[int]:
    """The kept counts of the job's strategy."""
    if job.search is None:
        raise SparsitySolverError(
            "allocator 'sparsitysolver' executes a strategy and none was given: give --strategy FILE or search options."
        )
    return job.search(job)
