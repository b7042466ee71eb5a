"""The regression check: every watched cell against its published and its last accepted value (no torch)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from sparsitysolver.config.tolerances import Tolerance, accepted_tolerance, tolerance
from sparsitysolver.records.columns import PROTOCOL
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.compare.protocol import Measurement, other_protocol
from sparsitysolver.reporting.compare.verdicts import REGRESSION_WORDS, Verdict
from sparsitysolver.reporting.regression.accepted import AXES, MACHINE, SEARCH, Key, Values, measured_values, name_of
from sparsitysolver.reporting.tables.judged import judge, published_values

PUBLISHED, ACCEPTED = BESIDE = ("published", "accepted")
COLUMNS = (
    *(*AXES, "measured"),
    *(f"{kind}{field}" for kind in BESIDE for field in ("", "_tolerance", "_verdict", "_detail")),
    "cell",
)


class Judged(NamedTuple):
    """A verdict with what it rests on: the other value, how far the measured one may lie from it, and words."""

    verdict: Verdict
    value: str = ""
    tolerance: str = ""
    detail: str = ""

    @property
    def word(self) -> str:
        """The verdict as files and pages print it."""
        return REGRESSION_WORDS[self.verdict]


@dataclass(frozen=True)
class WatchedValue:
    """One value of one cell, judged by its published and its accepted one; None where the cell is missing."""

    key: Key
    judged: dict[str, Judged]  # of BESIDE
    measured: float | None = None
    cell: str = ""

    @property
    def out(self) -> list[str]:
        """Lines on what is out or missing; the reasons of exit status 1."""
        found = "not measured" if self.measured is None else f"measured {self.measured!r}"
        return [
            f"{judged.word}: {name_of(self.key)}: {found}, {kind} {judged.value}"
            f"{f' ± {judged.tolerance}' if judged.tolerance else ''} ({judged.detail})"
            for kind, judged in self.judged.items()
            if judged.verdict in (Verdict.FAILS, Verdict.NOT_RUN)
        ]

    @property
    def record(self) -> dict[str, str]:
        """The row of ``regression.csv``, of ``COLUMNS``."""
        beside = [(judged.value, judged.tolerance, judged.word, judged.detail) for judged in self.judged.values()]
        measured = "" if self.measured is None else repr(self.measured)
        return dict(zip(COLUMNS, (*self.key, measured, *beside[0], *beside[1], self.cell), strict=True))


def compare(cells: Path, accepted: Values) -> list[WatchedValue]:
    """Compare collected cells with published and accepted values, in the order of their axes; skipped cells come last.

    Raises:
        SparsitySolverError: see :func:`measured_values`.
    """
    measured, skipped = measured_values(cells)
    rows = []
    for key in sorted(measured.keys() | accepted.keys()):
        before, row = accepted.get(key), measured.get(key)
        if row is None:
            reason = skipped.get((*key[:-1], ""))
            detail = f"skipped: {reason}" if reason else "no such cell was collected"
            lost = Judged(Verdict.NOT_RUN, repr(before["value"]), detail=detail)
            rows.append(WatchedValue(key, _beside(Judged(Verdict.NOT_COMPARABLE, detail=detail), lost)))
            continue
        published = _against_published(row)
        if before is not None and {published.verdict, _against_published(before).verdict} == {Verdict.FAILS}:
            published = published._replace(verdict=Verdict.KNOWN)
        rows.append(WatchedValue(key, _beside(published, _against_accepted(row, before)), row["value"], row["cell"]))
    missing = {key[:-1] for key in accepted}  # a skipped cell that was accepted stands there already
    for key, reason in sorted(skipped.items()):
        if key[:-1] not in missing:
            nothing = Judged(Verdict.NOT_COMPARABLE, detail=f"skipped: {reason}")
            rows.append(WatchedValue(key, _beside(nothing, nothing)))
    return rows


def _beside(*judged: Judged) -> dict[str, Judged]:
    return dict(zip(BESIDE, judged, strict=True))


def _against_published(row: Json) -> Judged:
    axes = (row["model"], row["method"], float(row["sparsity"]), row["task"], row["metric"])
    published = published_values().get(axes)
    if published is None:
        return Judged(Verdict.NOT_COMPARABLE, detail="not in the paper's tables")
    difference = other_protocol(Measurement.of(row), published.protocol)
    if difference:
        return Judged(Verdict.NOT_COMPARABLE, published.printed, detail=f"{published.table}: {difference}")
    verdict = judge(published.printed, row["value"], row["metric"], row["method"])
    allowed = tolerance(row["metric"], row["method"])
    return Judged(verdict, published.printed, _bound(allowed, published.printed), published.table)


def _against_accepted(row: Json, accepted: Json | None) -> Judged:
    """Other weights or another protocol are out as well: a value may not change its meaning unnoticed."""
    if accepted is None:
        return Judged(Verdict.NEW, detail="no accepted value")
    value = repr(accepted["value"])
    if protocol := _changes(row, accepted, ("weights_sha256", *PROTOCOL)):
        return Judged(Verdict.FAILS, value, detail=f"another protocol: {protocol}")
    if search := _changes(row, accepted, SEARCH):
        return Judged(Verdict.NOT_COMPARABLE, value, detail=f"another search: {search}")
    # Of the same machine as far as is known: nothing differs that may move the last digits.
    kind, machine = kind_of(row), "other" if _changes(row, accepted, MACHINE) else "same"
    allowed = accepted_tolerance(row["metric"], kind, machine)
    verdict = Verdict.HOLDS if allowed.allows(Decimal(value), Decimal(repr(row["value"]))) else Verdict.FAILS
    detail = f"{kind}, {machine} machine, accepted at {accepted['commit'][:12]}"
    return Judged(verdict, value, _bound(allowed, value), detail)


def _changes(row: Json, accepted: Json, fields: Sequence[str]) -> str:
    """Which of some columns differ from the accepted ones, and how; empty where none does."""
    changed = [field for field in fields if row[field] != accepted[field]]
    return "; ".join(f"{field} {row[field] or 'none'}, accepted {accepted[field] or 'none'}" for field in changed)


def kind_of(row: Json) -> str:
    """What a cell's noise depends on: ``dense``, ``pruned``, or ``searched``: pruned as a search found."""
    if row["search_algorithm"]:
        return "searched"
    return "dense" if row["method"] == "dense" else "pruned"


def _bound(allowed: Tolerance, other: str) -> str:
    """The allowed deviation from a number, to three digits."""
    return f"{float(allowed.bound(Decimal(other))):.3g}"
