"""OWL: layers with more outlying Wanda scores keep more."""

from sparsitysolver.pruning.allocation import layer_scores, spread
from sparsitysolver.pruning.job import Job

NAME = "OWL"
REFERENCE = "Yin et al., ICML 2024: outlier-weighed layer-wise sparsity, lambda 0.08, M 5"


def allocate(job: Job) -> list[float]:
    """Layer densities spread over 2λ by the share of scores above M times the layer's mean (options lambda, M)."""
    threshold = job.option("M", 5)
    outliers = [100 * float((scores > threshold * scores.mean()).float().mean()) for scores in layer_scores(job)]
    return spread(job, outliers, job.option("lambda", 0.08))
