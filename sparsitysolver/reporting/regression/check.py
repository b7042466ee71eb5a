"""The regression check: every watched cell against its published and its last accepted value (no torch)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from sparsitysolver.config.tolerances import Tolerance, accepted_tolerance, tolerance
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.collected.collect import PROTOCOL
from sparsitysolver.reporting.compare.protocol import Measurement, other_protocol
from sparsitysolver.reporting.compare.verdicts import Verdict, judge
from sparsitysolver.reporting.regression.accepted import AXES, MACHINE, SEARCH, Key, Values, measured_values, name_of
from sparsitysolver.reporting.tables.published import published_values


class RegressionVerdict(StrEnum):
    """What a measured value says about a published or an accepted one."""

    OK = "ok"
    OUT = "out"
    KNOWN = "known"  # beyond the published value's tolerance, as the accepted value is
    NEW = "new"
    MISSING = "missing"
    NOT_COMPARABLE = "not comparable"


FAILING = (RegressionVerdict.OUT, RegressionVerdict.MISSING)


@dataclass(frozen=True)
class Judged:
    """A verdict with what it rests on: the other value, how far the measured one may lie from it, and words."""

    verdict: RegressionVerdict
    value: str = ""
    tolerance: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Comparison:
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
            f"{judged.verdict}: {name_of(self.key)}: {found}, {kind} {judged.value}"
            f"{f' ± {judged.tolerance}' if judged.tolerance else ''} ({judged.detail})"
            for kind, judged in (("published", self.published), ("accepted", self.accepted))
            if judged.verdict in FAILING
        ]

    @property
    def record(self) -> dict[str, str]:
        """The row of ``regression.csv``."""
        beside = {
            kind if field == "value" else f"{kind}_{field}": str(getattr(judged, field))
            for kind, judged in (("published", self.published), ("accepted", self.accepted))
            for field in ("value", "tolerance", "verdict", "detail")
        }
        measured = "" if self.measured is None else repr(self.measured)
        return dict(zip(AXES, self.key, strict=True)) | {"measured": measured} | beside | {"cell": self.cell}


def compare(cells: Path, accepted: Values) -> list[Comparison]:
    """Compare collected cells with published and accepted values, in the order of their axes.

    Raises:
        SparsitySolverError: see :func:`measured_values`.
    """
    measured, skipped = measured_values(cells)
    keys = sorted(measured.keys() | accepted.keys())
    rows = [_compare(key, measured.get(key), accepted.get(key), skipped) for key in keys]
    return rows + [_skipped(key, reason) for key, reason in sorted(skipped.items()) if not _replaces(key, accepted)]


def _compare(key: Key, row: Json | None, accepted: Json | None, skipped: dict[Key, str]) -> Comparison:
    if row is None:
        reason = skipped.get((*key[:-1], ""))
        detail = f"skipped: {reason}" if reason else "no such cell was collected"
        lost = Judged(RegressionVerdict.MISSING, repr(accepted["value"]), "", detail)
        return Comparison(key, None, Judged(RegressionVerdict.NOT_COMPARABLE, detail=detail), lost)
    published = _against_published(row, row["value"])
    if published.verdict is RegressionVerdict.OUT and accepted is not None:
        earlier = _against_published(accepted, accepted["value"])
        if earlier.verdict is RegressionVerdict.OUT:
            published = replace(published, verdict=RegressionVerdict.KNOWN)
    return Comparison(key, row["value"], published, _against_accepted(row, accepted), row["cell"])


def _replaces(skipped: Key, accepted: Values) -> bool:
    """Whether a skipped cell stands in the comparison already, as an accepted one that is missing."""
    return any(key[:-1] == skipped[:-1] for key in accepted)


def _skipped(key: Key, reason: str) -> Comparison:
    nothing = Judged(RegressionVerdict.NOT_COMPARABLE, detail=f"skipped: {reason}")
    return Comparison(key, None, nothing, nothing)


def _against_published(row: Json, value: float) -> Judged:
    axes = (row["model"], row["method"], float(row["sparsity"]), row["task"], row["metric"])
    published = published_values().get(axes)
    if published is None:
        return Judged(RegressionVerdict.NOT_COMPARABLE, detail="not in the paper's tables")
    difference = other_protocol(_measurement(row), published.protocol)
    if difference:
        return Judged(RegressionVerdict.NOT_COMPARABLE, published.printed, "", f"{published.table}: {difference}")
    allowed = tolerance(row["metric"], row["method"])
    same = judge(published.printed, value, row["metric"], row["method"]) is Verdict.REPRODUCED
    verdict = RegressionVerdict.OK if same else RegressionVerdict.OUT
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
        return Judged(RegressionVerdict.NEW, detail="no accepted value")
    value = repr(accepted["value"])
    protocol = _changes(row, accepted, ("weights_sha256", *PROTOCOL))
    if protocol:
        return Judged(RegressionVerdict.OUT, value, "", f"another protocol: {protocol}")
    search = _changes(row, accepted, SEARCH)
    if search:
        return Judged(RegressionVerdict.NOT_COMPARABLE, value, "", f"another search: {search}")
    kind, machine = kind_of(row), _machine(row, accepted)
    allowed = accepted_tolerance(row["metric"], kind, machine)
    exact = Decimal(value)
    verdict = RegressionVerdict.OK if allowed.allows(exact, Decimal(repr(row["value"]))) else RegressionVerdict.OUT
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
