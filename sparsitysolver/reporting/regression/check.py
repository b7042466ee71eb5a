"""The regression check: every watched cell against its published and its last accepted value (no torch)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from sparsitysolver.config.tolerances import Tolerance, accepted_tolerance, tolerance
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.collect import PROTOCOL
from sparsitysolver.reporting.compare.protocol import Measurement, other_protocol
from sparsitysolver.reporting.compare.published import judge
from sparsitysolver.reporting.compare.verdicts import REGRESSION_WORDS, Verdict
from sparsitysolver.reporting.regression.accepted import AXES, MACHINE, SEARCH, Key, Values, measured_values, name_of
from sparsitysolver.reporting.tables.published import published_values

FAILING = (Verdict.FAILS, Verdict.NOT_RUN)


@dataclass(frozen=True)
class Judged:
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
    """One value of one cell beside its published and its accepted one; nothing measured where the cell is missing."""

    key: Key
    measured: float | None
    published: Judged
    accepted: Judged
    cell: str = ""

    @property
    def out(self) -> list[str]:
        """Lines on what is out or missing; the reasons of exit status 1."""
        found = "not measured" if self.measured is None else f"measured {self.measured!r}"
        return [
            f"{judged.word}: {name_of(self.key)}: {found}, {kind} {judged.value}"
            f"{f' ± {judged.tolerance}' if judged.tolerance else ''} ({judged.detail})"
            for kind, judged in (("published", self.published), ("accepted", self.accepted))
            if judged.verdict in FAILING
        ]

    @property
    def record(self) -> dict[str, str]:
        """The row of ``regression.csv``."""
        beside = {}
        for kind, judged in (("published", self.published), ("accepted", self.accepted)):
            beside |= {kind: judged.value, f"{kind}_tolerance": judged.tolerance}
            beside |= {f"{kind}_verdict": judged.word, f"{kind}_detail": judged.detail}
        measured = "" if self.measured is None else repr(self.measured)
        return dict(zip(AXES, self.key, strict=True)) | {"measured": measured} | beside | {"cell": self.cell}


def compare(cells: Path, accepted: Values) -> list[WatchedValue]:
    """Compare collected cells with published and accepted values, in the order of their axes.

    Raises:
        SparsitySolverError: see :func:`measured_values`.
    """
    measured, skipped = measured_values(cells)
    keys = sorted(measured.keys() | accepted.keys())
    rows = [_compare(key, measured.get(key), accepted.get(key), skipped) for key in keys]
    return rows + [_skipped(key, reason) for key, reason in sorted(skipped.items()) if not _replaces(key, accepted)]


def _compare(key: Key, row: Json | None, accepted: Json | None, skipped: dict[Key, str]) -> WatchedValue:
    if row is None:
        reason = skipped.get((*key[:-1], ""))
        detail = f"skipped: {reason}" if reason else "no such cell was collected"
        lost = Judged(Verdict.NOT_RUN, repr(accepted["value"]), "", detail)
        return WatchedValue(key, None, Judged(Verdict.NOT_COMPARABLE, detail=detail), lost)
    published = _against_published(row, row["value"])
    if published.verdict is Verdict.FAILS and accepted is not None:
        earlier = _against_published(accepted, accepted["value"])
        if earlier.verdict is Verdict.FAILS:
            published = replace(published, verdict=Verdict.KNOWN)
    return WatchedValue(key, row["value"], published, _against_accepted(row, accepted), row["cell"])


def _replaces(skipped: Key, accepted: Values) -> bool:
    """Whether a skipped cell stands in the comparison already, as an accepted one that is missing."""
    return any(key[:-1] == skipped[:-1] for key in accepted)


def _skipped(key: Key, reason: str) -> WatchedValue:
    nothing = Judged(Verdict.NOT_COMPARABLE, detail=f"skipped: {reason}")
    return WatchedValue(key, None, nothing, nothing)


def _against_published(row: Json, value: float) -> Judged:
    axes = (row["model"], row["method"], float(row["sparsity"]), row["task"], row["metric"])
    published = published_values().get(axes)
    if published is None:
        return Judged(Verdict.NOT_COMPARABLE, detail="not in the paper's tables")
    difference = other_protocol(_measurement(row), published.protocol)
    if difference:
        return Judged(Verdict.NOT_COMPARABLE, published.printed, "", f"{published.table}: {difference}")
    allowed = tolerance(row["metric"], row["method"])
    verdict = judge(published.printed, value, row["metric"], row["method"])
    return Judged(verdict, published.printed, _bound(allowed, Decimal(published.printed)), published.table)


def _measurement(row: Json) -> Measurement:
    """A row of ``cells.csv``, all text, as what its number was measured on."""
    numbers = {name: int(row[name]) if row[name] else None for name in ("seqlen", "items", "tokens")}
    return Measurement(
        method=row["method"],
        model=row["model"],
        tasks=(row["task"],),
        split=row["split"],
        evaluations=int(row["search_evaluations"]) if row["search_evaluations"] else None,
        text_sha256=row["text_sha256"],
        **numbers,
    )


def _against_accepted(row: Json, accepted: Json | None) -> Judged:
    """Other weights or another protocol are out as well: a value may not change its meaning unnoticed."""
    if accepted is None:
        return Judged(Verdict.NEW, detail="no accepted value")
    value = repr(accepted["value"])
    protocol = _changes(row, accepted, ("weights_sha256", *PROTOCOL))
    if protocol:
        return Judged(Verdict.FAILS, value, "", f"another protocol: {protocol}")
    search = _changes(row, accepted, SEARCH)
    if search:
        return Judged(Verdict.NOT_COMPARABLE, value, "", f"another search: {search}")
    kind, machine = kind_of(row), _machine(row, accepted)
    allowed = accepted_tolerance(row["metric"], kind, machine)
    exact = Decimal(value)
    verdict = Verdict.HOLDS if allowed.allows(exact, Decimal(repr(row["value"]))) else Verdict.FAILS
    detail = f"{kind}, {machine} machine, accepted at {accepted['commit'][:12]}"
    return Judged(verdict, value, _bound(allowed, exact), detail)


def _changes(row: Json, accepted: Json, fields: Sequence[str]) -> str:
    """Which of some columns differ from the accepted ones, and how; empty where none does."""
    changed = [field for field in fields if row[field] != accepted[field]]
    return "; ".join(f"{field} {row[field] or 'none'}, accepted {accepted[field] or 'none'}" for field in changed)


def kind_of(row: Json) -> str:
    """What a cell's noise depends on: ``dense``, ``pruned``, or ``searched``: pruned as a search found."""
    if row["search_algorithm"]:
        return "searched"
    return "dense" if row["method"] == "dense" else "pruned"


def _machine(row: Json, accepted: Json) -> str:
    """Whether nothing is known to differ that may move the last digits: device, processor, threads, versions."""
    return "same" if all(row[field] == accepted[field] for field in MACHINE) else "other"


def _bound(allowed: Tolerance, value: Decimal) -> str:
    """The allowed deviation as a number, to three digits."""
    return f"{float(allowed.bound(value)):.3g}"
