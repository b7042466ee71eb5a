"""The one vocabulary of judgements, the rules by which intervals give them, and the words that pages print."""

from collections.abc import Collection
from enum import StrEnum

from sparsitysolver.config.tables import DASH
from sparsitysolver.reporting.compare.comparability import UNEQUAL


class Verdict(StrEnum):
    """What results say of a statement, such as "A is better than B" or "this is the published value"."""

    HOLDS = "holds"
    FAILS = "fails"
    NOISE = "inside the noise"
    TIE = "tie"  # equal digits, where no interval says more
    UNEQUAL = UNEQUAL  # too different amounts were removed
    NOT_COMPARABLE = "not comparable"
    NOT_RUN = "not run"
    KNOWN = "known"  # fails, as the accepted value does
    NEW = "new"  # there is no accepted value

    @property
    def opposite(self) -> "Verdict":
        """The verdict on the opposite statement."""
        return {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}.get(self, self)


_ALL = {verdict: str(verdict) for verdict in Verdict}
# "The first row, A, is better than the second, B."
PAIR_WORDS = _ALL | {Verdict.HOLDS: "A better", Verdict.FAILS: "B better", Verdict.NOT_RUN: DASH}
# "The measured rows stand in the order that the paper prints."
ORDER_WORDS = _ALL | {Verdict.HOLDS: "order holds", Verdict.FAILS: "order reversed"}
# "The measured value is the published one."
PUBLISHED_WORDS = {
    Verdict.HOLDS: "reproduced",
    Verdict.FAILS: "deviates",
    Verdict.NOT_COMPARABLE: str(Verdict.NOT_COMPARABLE),
    Verdict.NOT_RUN: str(Verdict.NOT_RUN),
}
# "The measured value is the published, or the accepted one."
REGRESSION_WORDS = {
    Verdict.HOLDS: "ok",
    Verdict.FAILS: "out",
    Verdict.KNOWN: str(Verdict.KNOWN),
    Verdict.NEW: str(Verdict.NEW),
    Verdict.NOT_RUN: "missing",
    Verdict.NOT_COMPARABLE: str(Verdict.NOT_COMPARABLE),
}


def above_zero(effect: float, low: float | None, high: float | None) -> Verdict:
    """Whether an effect is above zero, by its interval, or by its sign where there is none."""
    if low is None or high is None:
        low = high = effect
    if low <= 0 <= high:
        return Verdict.NOISE
    return Verdict.HOLDS if low > 0 else Verdict.FAILS


def all_of(verdicts: Collection[Verdict]) -> Verdict:
    """Fails where any fails, holds where all hold, and is inside the noise otherwise."""
    if Verdict.FAILS in verdicts:
        return Verdict.FAILS
    return Verdict.NOISE if Verdict.NOISE in verdicts else Verdict.HOLDS
