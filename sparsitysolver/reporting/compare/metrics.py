"""What a metric is: in which unit tables print it, and in which direction it is better."""

from sparsitysolver.config.registry import tasks_table

PERPLEXITY_METRIC = "ppl"
AVERAGE = "average"  # unweighted mean of a row's accuracies over all tasks
_LOWER_IS_BETTER = (PERPLEXITY_METRIC,)
_PERCENT = 100.0


def metric_of(task: str) -> str:
    """The metric that tables show of a task; texts of one's own are perplexity tasks."""
    return tasks_table()[task].metric if task in tasks_table() else PERPLEXITY_METRIC


def is_zero_shot(task: str) -> bool:
    """Whether a task is a registered zero-shot task."""
    return task in tasks_table() and tasks_table()[task].kind == "zero_shot"


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one."""
    return metric in _LOWER_IS_BETTER


def printed_scale(metric: str) -> float:
    """Factor from a cell's value to the printed one: perplexities as they are, accuracies in percent."""
    return 1.0 if metric == PERPLEXITY_METRIC else _PERCENT
