"""DLP: layers of large scores keep less, in closed form."""

from sparsitysolver.pruning.allocation import layer_scores, spread
from sparsitysolver.pruning.job import Job

NAME = "DLP"
REFERENCE = "Chen et al., 2025 (arXiv 2505.23807): relative importance 1 - mean score / sum over layers, alpha 0.15"


def allocate(job: Job) -> list[float]:
    """Layer densities spread over 2α, highest where the layer's share of all mean Wanda scores is smallest."""
    means = [float(scores.mean()) for scores in layer_scores(job)]
    importance = [1 - mean / sum(means) for mean in means]
    return spread(job, importance, job.option("alpha", 0.15))
