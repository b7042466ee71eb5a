"""The regression check: every watched cell against its published and its last accepted value (no torch)."""

import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sparsitysolver.config.paper import Tolerance, accepted_tolerance, tolerance
from sparsitysolver.config.tables import DASH
from sparsitysolver.records.columns import PROTOCOL
from sparsitysolver.records.files import Json, write_text
from sparsitysolver.reporting.collected.long_tables import write_rows
from sparsitysolver.reporting.compare.comparability import Measurement, other_protocol
from sparsitysolver.reporting.compare.verdicts import REGRESSION_WORDS, Verdict
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.regression.accepted import (
    AXES,
    MACHINE,
    SEARCH,
    Key,
    Values,
    measured_values,
    name_of,
    read_accepted,
)
from sparsitysolver.reporting.tables.entries import printed
from sparsitysolver.reporting.tables.judged import judge, published_values

_BESIDE = ("published", "accepted")
_JUDGED = ("", "_tolerance", "_verdict", "_detail")  # columns of each of them
_COLUMNS = (*AXES, "measured", *(f"{kind}{field}" for kind in _BESIDE for field in _JUDGED), "cell")
_OUT = (REGRESSION_WORDS[Verdict.FAILS], REGRESSION_WORDS[Verdict.NOT_RUN])
_EXIT_REGRESSION = 1


class _Judged(NamedTuple):
    """A verdict, the other value, how far the measured one may lie from it, and words."""

    verdict: Verdict
    value: str = ""
    tolerance: str = ""
    detail: str = ""


def regression_command(
    cells: Path, accepted: Path | None, grid: str, out: Path, models: Sequence[str], seeds: Sequence[str]
) -> int:
    """``sparsitysolver report regression``: write ``out`` and its page (``.md``) in any case, name what is out.

    Accepted values of other ``models`` and ``seeds`` than those named are left out; the dense model has no seed.

    Returns:
        the exit status: 1 if a value is out or an accepted one is missing.
    """
    of_run = {
        key: row
        for key, row in (read_accepted(accepted, grid) if accepted else {}).items()
        if (not models or row["model"] in models) and (not seeds or row["method"] == "dense" or row["seed"] in seeds)
    }
    rows = _compared(cells, of_run)
    counted = f"regression on grid {grid}: {len(rows)} values"
    for kind in _BESIDE:
        count = Counter(row[f"{kind}_verdict"] for row in rows)
        found = ", ".join(f"{count[word]} {word}" for word in REGRESSION_WORDS.values() if count[word])
        counted += f"; {kind}: {found}"
    lines = [_line(row, kind) for row in rows for kind in _BESIDE if row[f"{kind}_verdict"] in _OUT]
    listed = "".join(f"- {line}\n" for line in lines)
    table = markdown(pd.DataFrame(map(_shown, rows)))
    parts = [f"# Regression check, grid {grid}\n", f"{counted}\n", listed, f"{table}\n"]
    write_rows(out, _COLUMNS, rows)
    write_text(out.with_suffix(".md"), "\n".join(filter(None, parts)))
    print(counted)
    for line in lines:
        print(line, file=sys.stderr)
    return _EXIT_REGRESSION if lines else 0


def _line(row: Json, kind: str) -> str:
    """What is out or missing."""
    found = f"measured {row['measured']}" if row["measured"] else "not measured"
    allowed = f" ± {row[f'{kind}_tolerance']}" if row[f"{kind}_tolerance"] else ""
    name = name_of(tuple(row[axis] for axis in AXES))
    return f"{row[f'{kind}_verdict']}: {name}: {found}, {kind} {row[kind]}{allowed} ({row[f'{kind}_detail']})"


def _shown(row: Json) -> Json:
    """A line of the page."""
    texts = [row[axis] for axis in AXES]
    measured = printed(float(row["measured"]) if row["measured"] else None, 4)
    line = {"cell": ", ".join(texts[:4]), "on": " ".join(texts[4:]), "measured": measured}
    for kind in _BESIDE:
        detail = f" ({row[f'{kind}_detail']})" if row[f"{kind}_detail"] else ""
        line |= {kind: row[kind] or DASH, f"{kind} verdict": f"{row[f'{kind}_verdict']}{detail}"}
    return line


def _compared(cells: Path, accepted: Values) -> list[Json]:
    """Rows of ``regression.csv`` in the order of their axes; last, skipped cells of which nothing was accepted."""
    measured, skipped = measured_values(cells)
    rows = []
    for key in sorted(measured.keys() | accepted.keys()):
        row, before = measured.get(key), accepted.get(key)
        if row is None:
            reason = skipped.get((*key[:-1], ""))
            detail = f"skipped: {reason}" if reason else "no such cell was collected"
            lost = _Judged(Verdict.NOT_RUN, repr(before["value"]), detail=detail)
            rows.append(_row(key, _Judged(Verdict.NOT_COMPARABLE, detail=detail), lost))
            continue
        published = _against_published(row)
        if before is not None and {published.verdict, _against_published(before).verdict} == {Verdict.FAILS}:
            published = published._replace(verdict=Verdict.KNOWN)
        found = {"measured": repr(row["value"]), "cell": row["cell"]}
        rows.append(_row(key, published, _against_accepted(row, before)) | found)
    missing = {key[:-1] for key in accepted}  # a skipped cell that was accepted stands there already
    for key, reason in sorted(skipped.items()):
        if key[:-1] not in missing:
            nothing = _Judged(Verdict.NOT_COMPARABLE, detail=f"skipped: {reason}")
            rows.append(_row(key, nothing, nothing))
    return rows


def _row(key: Key, *beside: _Judged) -> Json:
    row = dict(zip(AXES, key, strict=True)) | {"measured": "", "cell": ""}
    for kind, of in zip(_BESIDE, beside, strict=True):
        values = (of.value, of.tolerance, REGRESSION_WORDS[of.verdict], of.detail)
        row |= {f"{kind}{field}": value for field, value in zip(_JUDGED, values, strict=True)}
    return row


def _against_published(row: Json) -> _Judged:
    axes = (row["model"], row["method"], float(row["sparsity"]), row["task"], row["metric"])
    published = published_values().get(axes)
    if published is None:
        return _Judged(Verdict.NOT_COMPARABLE, detail="not in the paper's tables")
    difference = other_protocol(Measurement.of(row), published.protocol)
    if difference:
        return _Judged(Verdict.NOT_COMPARABLE, published.printed, detail=f"{published.table}: {difference}")
    verdict = judge(published.printed, row["value"], row["metric"], row["method"])
    allowed = tolerance(row["metric"], row["method"])
    return _Judged(verdict, published.printed, _bound(allowed, published.printed), published.table)


def _against_accepted(row: Json, accepted: Json | None) -> _Judged:
    """Other weights or another protocol are out as well: a value may not change its meaning unnoticed."""
    if accepted is None:
        return _Judged(Verdict.NEW, detail="no accepted value")
    value = repr(accepted["value"])
    if protocol := _changes(row, accepted, ("weights_sha256", *PROTOCOL)):
        return _Judged(Verdict.FAILS, value, detail=f"another protocol: {protocol}")
    if search := _changes(row, accepted, SEARCH):
        return _Judged(Verdict.NOT_COMPARABLE, value, detail=f"another search: {search}")
    # Of the same machine as far as is known: nothing differs that may move the last digits.
    kind, machine = kind_of(row), "other" if _changes(row, accepted, MACHINE) else "same"
    allowed = accepted_tolerance(row["metric"], kind, machine)
    verdict = Verdict.HOLDS if allowed.allows(Decimal(value), Decimal(repr(row["value"]))) else Verdict.FAILS
    detail = f"{kind}, {machine} machine, accepted at {accepted['commit'][:12]}"
    return _Judged(verdict, value, _bound(allowed, value), detail)


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
