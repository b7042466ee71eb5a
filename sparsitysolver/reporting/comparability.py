"""May two cells be compared? Only where both removed the same: the one place that decides, for every judgement.

What a method calls its sparsity is not always what it removes: BESA's masks settle where its loss lets them, SliceGPT's
ratio is one of widths, Algorithm 1 stops at whole key-value groups. A difference in quality between models of different
size says little about the methods, so tables, pairs, orders, claims and the arena all ask here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sparsitysolver.reporting.tolerances import ANY_METHOD, tolerance

UNEQUAL = "unequal sparsity"  # begins every verdict on two cells that may not be compared
_SPARSITY, _PARAMETERS = "achieved_sparsity", "parameters"  # rows of config/paper/tolerances.csv
_ROUNDING = 1e-9  # so that a difference of exactly the tolerance is within it


@dataclass(frozen=True)
class Removed:
    """What was taken from a model.

    Attributes:
        achieved_sparsity: fraction of the dense model's prunable weights that is gone; None where not recorded.
        parameters: all parameters of the model, a tied head once; None where not recorded.
    """

    achieved_sparsity: float | None
    parameters: float | None


def unequal(first: Removed, second: Removed) -> str:
    """Why two models may not be compared, with both figures; empty where they may.

    What either does not record is not compared.
    """
    return _sparsities(first.achieved_sparsity, second.achieved_sparsity) or _sizes(first.parameters, second.parameters)


def unequal_to_any(own: Removed, others: Iterable[Removed]) -> str:
    """The first reason why a model may not be compared with some others; empty where it may with all."""
    return next((reason for other in others if (reason := unequal(own, other))), "")


def _sparsities(one: float | None, other: float | None) -> str:
    if one is None or other is None:
        return ""
    if abs(one - other) <= float(tolerance(_SPARSITY, ANY_METHOD).absolute) + _ROUNDING:
        return ""
    return f"{UNEQUAL}: {one:.1%} and {other:.1%} of the prunable weights removed"


def _sizes(one: float | None, other: float | None) -> str:
    if one is None or other is None:
        return ""
    allowed = float(tolerance(_PARAMETERS, ANY_METHOD).relative)
    if abs(one - other) <= (allowed + _ROUNDING) * max(one, other):
        return ""
    return f"{UNEQUAL}: {one:,.0f} and {other:,.0f} parameters"
