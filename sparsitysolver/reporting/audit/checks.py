"""The audit's arithmetic on printed numbers, in exact fractions: item counts, averages, dense models."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from sparsitysolver.reporting.audit.read_published import Number

OK, FLAG = "ok", "flag"
NOT_CHECKED = "not checked: "  # how the detail of an ``ok`` begins where nothing could be checked
_PERCENT = 100


class Finding(NamedTuple):
    """What a check says: ``ok`` (nothing speaks against the number) or ``flag``, and why."""

    verdict: str
    detail: str

    @classmethod
    def of(cls, flagged: bool, detail: str) -> "Finding":
        """``flag`` where flagged, else ``ok``."""
        return cls(FLAG if flagged else OK, detail)

    @classmethod
    def unchecked(cls, reason: str) -> "Finding":
        """``ok`` for want of anything to check against; the detail says so."""
        return cls(OK, NOT_CHECKED + reason)


class Line(NamedTuple):
    """One line of ``audit.csv``: a place, what stands there (as printed, a dash where nothing is stated), a finding."""

    table: str
    method: str
    column: str
    value: str
    check: str
    verdict: str
    detail: str

    @property
    def checked(self) -> bool:
        """Whether there was anything to check against."""
        return not self.detail.startswith(NOT_CHECKED)


def check_reachable(number: Number, answers: int | None) -> Finding:
    """Whether an accuracy in percent is k of ``answers`` for a whole k, rounded or truncated to its printed digits.

    The idea is that of the GRIM test (Brown and Heathers, 2017). A mean over runs is not k of one run's items.
    """
    if not answers:
        return Finding.unchecked("how many items the accuracy rests on is unknown; name it with --items TASK=N")
    if not 0 <= number.value <= _PERCENT:
        return Finding.of(True, f"{number.text} is no percentage")
    below = math.floor(number.value * answers / _PERCENT)
    counts = [k for k in (below, below + 1) if k <= answers]
    exact = {k: Fraction(_PERCENT * k, answers) for k in counts}
    hits = [k for k in counts if number.prints(exact[k])]
    if hits:
        k = min(hits, key=lambda count: abs(exact[count] - number.value))
        how = "rounded" if abs(exact[k] - number.value) <= number.unit / 2 else "truncated, not rounded"
        every = "; so many items reach every printed value" if Fraction(_PERCENT, answers) <= number.unit else ""
        return Finding.of(False, f"{k} of {answers} is {float(exact[k]):.4f}, {how}{every}")
    near = " or ".join(f"{float(exact[k]):.4f} ({k})" for k in counts)
    return Finding.of(
        True,
        f"{answers} items give {near}: neither rounds nor truncates to {number.text}; inconsistent with one run over "
        "these items",
    )


def check_average(average: Number, values: Sequence[Number]) -> Finding:
    """Whether a printed average is the mean of the printed values but for rounding.

    The values and the average are taken to be all rounded, or all truncated: then mean and average differ by at most
    one unit of the last digit where all have the same digits.
    """
    mean = sum((number.value for number in values), Fraction()) / len(values)
    unit = sum((number.unit for number in values), Fraction()) / len(values)
    gap = average.value - mean
    rounded, truncated = abs(gap) <= (unit + average.unit) / 2, -average.unit < gap < unit
    flagged = not (rounded or truncated)
    return Finding.of(
        flagged,
        f"the mean of the {len(values)} printed values is {float(mean):.4f}, {float(gap):+.4f} from the average: "
        f"{'more than' if flagged else 'within what'} rounding or truncating explains",
    )


def check_against_dense(number: Number, dense: Number, lower: bool, answers: int | None) -> Finding:
    """Whether a pruned model is better than its dense model, by the coarser of the two printed digits at least.

    Args:
        number: the pruned model's value.
        dense: the dense model's value in the same column.
        lower: whether lower is better (perplexity).
        answers: items behind an accuracy, for a hint at its noise; None where there are none or nobody knows.
    """
    gap = dense.value - number.value if lower else number.value - dense.value
    if gap < max(number.unit, dense.unit):
        return Finding.of(False, f"the dense model has {dense.text}")
    hint = "" if lower or not answers else f"; {_noise(number, dense, answers)}"
    return Finding.of(True, f"{'lower' if lower else 'higher'} than the dense model's {dense.text}{hint}")


def _noise(number: Number, dense: Number, answers: int) -> str:
    shares = [float(accuracy.value) / _PERCENT for accuracy in (number, dense)]
    error = _PERCENT * math.sqrt(sum(max(p * (1 - p), 0.0) for p in shares) / answers)
    return f"the standard error of a difference over {answers} independent items is {error:.2f} points"
