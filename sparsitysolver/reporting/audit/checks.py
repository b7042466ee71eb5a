"""The audit's arithmetic on printed numbers, in exact fractions: item counts, averages, dense models."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from sparsitysolver.config.registry import AVERAGE, is_zero_shot, tasks_table
from sparsitysolver.reporting.audit.read_published import Number, PrintedTable

OK, FLAG = "ok", "flag"
NOT_CHECKED = "not checked: "  # how the detail of an ``ok`` begins where nothing could be checked
_OF_NUMBERS = ("reachable", "average", "better_than_dense")
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


def number_lines(table: PrintedTable, items: Mapping[str, int]) -> Iterator[Line]:
    """The checks that every number of a table passes through; ``items`` are numbers of items by zero-shot task."""
    for check, row, column in itertools.product(_OF_NUMBERS, table.methods, table.columns):
        if number := table.numbers.get((row, column)):
            # How many answers an accuracy rests on: as told, as the table itself says, or all items of the task.
            answers = None
            if is_zero_shot(column):
                own = tasks_table()[column].n_items or None
                own = own if table.answers is None else table.answers.get(row, {}).get(column)
                answers = items.get(column, own)
            finding = _finding(check, table, row, column, answers)
            if finding is not None:
                yield Line(table.name, row, column, number.text, check, *finding)


def _finding(check: str, table: PrintedTable, row: str, column: str, answers: int | None) -> Finding | None:
    """What a check says of one number and how many answers are behind it; None where it does not apply."""
    number, is_accuracy = table.numbers[row, column], is_zero_shot(column)
    if check == "reachable":
        return check_reachable(number, answers) if is_accuracy else None
    if check == "average":
        if column != AVERAGE:
            return None
        tasks = [task for task in table.columns if is_zero_shot(task)]
        missing = [task for task in tasks if (row, task) not in table.numbers]
        if missing or not tasks:
            return Finding.unchecked(f"no value of {', '.join(missing) or 'any task'} in the row")
        return check_average(number, [table.numbers[row, task] for task in tasks])
    if row == table.dense:
        return None
    dense = table.numbers.get((table.dense, column))
    if dense is None:
        return Finding.unchecked("the dense row has no value" if table.dense else "there is no row Dense")
    return check_against_dense(number, dense, not is_accuracy and column != AVERAGE, answers)


def check_reachable(number: Number, answers: int | None) -> Finding:
    """Whether an accuracy in percent is k of ``answers`` for a whole k, rounded or truncated to its printed digits.

    The idea is that of the GRIM test (Brown and Heathers, 2017). A mean over runs is not k of one run's items.
    """
    if not answers:
        return Finding.unchecked("how many items the accuracy rests on is unknown; name it with --items TASK=N")
    if not 0 <= number.value <= _PERCENT:
        return Finding.of(True, f"{number.text} is no percentage")
    below = math.floor(number.value * answers / _PERCENT)
    exact = {k: Fraction(_PERCENT * k, answers) for k in (below, below + 1) if k <= answers}
    hits = [k for k, value in exact.items() if number.prints(value)]
    if hits:
        k = min(hits, key=lambda count: abs(exact[count] - number.value))
        how = "rounded" if abs(exact[k] - number.value) <= number.unit / 2 else "truncated, not rounded"
        every = "; so many items reach every printed value" if Fraction(_PERCENT, answers) <= number.unit else ""
        return Finding.of(False, f"{k} of {answers} is {float(exact[k]):.4f}, {how}{every}")
    near = " or ".join(f"{float(value):.4f} ({k})" for k, value in exact.items())
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
    if lower or not answers:
        return Finding.of(True, f"{'lower' if lower else 'higher'} than the dense model's {dense.text}")
    shares = [float(accuracy.value) / _PERCENT for accuracy in (number, dense)]
    error = _PERCENT * math.sqrt(sum(max(p * (1 - p), 0.0) for p in shares) / answers)
    hint = f"the standard error of a difference over {answers} independent items is {error:.2f} points"
    return Finding.of(True, f"higher than the dense model's {dense.text}; {hint}")
