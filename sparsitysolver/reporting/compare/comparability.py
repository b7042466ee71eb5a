"""May two cells be compared? Only where both removed the same: the one place that decides, for every judgement.

What a method calls its sparsity is not always what it removes: BESA's masks settle where its loss lets them, SliceGPT's
ratio is one of widths, Algorithm 1 stops at whole key-value groups. A difference in quality between models of different
size says little about the methods, so tables, pairs, orders, claims and the arena all ask here. Rows tuned on different
texts may be compared, and every comparison says so: :func:`other_texts`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sparsitysolver.config.paper import ANY_METHOD, tolerance

DENSE = "dense"
UNEQUAL = "unequal sparsity"  # begins every verdict on two cells that may not be compared
_SPARSITY, _PARAMETERS = "achieved_sparsity", "parameters"  # rows of config/paper/tolerances.csv
_DECIMALS = 4  # of sparsities, as the extended tables print them: a reader of these comes to the same verdict
_ROUNDING = 1e-9  # so that a difference of exactly the tolerance is within it


@dataclass(frozen=True)
class Removed:
    """What was taken from a model.

    Attributes:
        achieved_sparsity: fraction of the dense model's prunable weights that is gone; None where not recorded.
        parameters: all parameters of the model, a tied head once; None where not recorded.
        method: its key, whose tolerance of parameters holds; empty for that of any method.
    """

    achieved_sparsity: float | None
    parameters: float | None
    method: str = ""


def unequal(first: Removed, second: Removed, brief: bool = False) -> str:
    """Why two models may not be compared, with both figures; empty where they may.

    What either does not record is not compared. The dense model may be compared with any other: nothing is claimed of
    it but that it is better or worse than a model that has less.

    Args:
        first: what was taken from one model.
        second: what was taken from the other.
        brief: without the words on what sparsities are fractions of, for cells of tables.
    """
    if DENSE in (first.method, second.method):
        return ""
    return _sparsities(first.achieved_sparsity, second.achieved_sparsity, brief) or _sizes(first, second)


def unequal_to_any(own: Removed, others: Iterable[Removed]) -> str:
    """The first reason why a model may not be compared with some others; empty where it may with all."""
    return next((reason for other in others if (reason := unequal(own, other))), "")


def other_texts(first: Iterable[str], second: Iterable[str]) -> str:
    """Words on two sets of text sources that methods were tuned on, where they differ; empty where they do not."""
    one, other = sorted(set(first)), sorted(set(second))
    return "" if one == other else f"tuned on different texts: {_listed(one)}; {_listed(other)}"


def _listed(sources: list[str]) -> str:
    return " and ".join(sources) or "none"


def _sparsities(one: float | None, other: float | None, brief: bool) -> str:
    if one is None or other is None:
        return ""
    allowed = float(tolerance(_SPARSITY, ANY_METHOD).absolute) + _ROUNDING
    if abs(round(one, _DECIMALS) - round(other, _DECIMALS)) <= allowed:
        return ""
    # One decimal of percent, or two where one would show no more than the tolerance.
    digits = 1 if abs(round(one, 3) - round(other, 3)) > allowed else 2
    return f"{UNEQUAL}: {one:.{digits}%} and {other:.{digits}%}{'' if brief else ' of the prunable weights removed'}"


def _sizes(first: Removed, second: Removed) -> str:
    one, other = first.parameters, second.parameters
    if one is None or other is None:
        return ""
    allowed = max(float(tolerance(_PARAMETERS, removed.method).relative) for removed in (first, second))
    if abs(one - other) <= (allowed + _ROUNDING) * max(one, other):
        return ""
    return f"{UNEQUAL}: {one:,.0f} and {other:,.0f} parameters"
