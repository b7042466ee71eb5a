"""What a metric is: in which unit tables print it, and in which direction it is better."""

from sparsitysolver.config.registry import PERPLEXITY_METRIC

_LOWER_IS_BETTER = (PERPLEXITY_METRIC,)
_PERCENT = 100.0


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one."""
    return metric in _LOWER_IS_BETTER


def printed_scale(metric: str) -> float:
    """Factor from a cell's value to the printed one: perplexities as they are, accuracies in percent."""
    return 1.0 if metric == PERPLEXITY_METRIC else _PERCENT
