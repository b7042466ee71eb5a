"""No pruning: the model as it is."""

from sparsitysolver.pruning.job import Job, Outcome

NAME = "Dense"
REFERENCE = "the unpruned model"


def prune(job: Job, kept: list[int] | None) -> Outcome:
    """Leave the model alone."""
    return Outcome(structure=None)
