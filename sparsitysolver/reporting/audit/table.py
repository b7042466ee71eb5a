"""``audit``: arithmetic checks of printed tables. It reports and corrects nothing; rules in ``docs/protocol.md``."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from pathlib import Path

from sparsitysolver.config.registry import AVERAGE, is_zero_shot, tasks_table, zero_shot_task
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json, atomic_path
from sparsitysolver.reporting.audit.checks import (
    FLAG,
    NOT_CHECKED,
    OK,
    Finding,
    check_against_dense,
    check_average,
    check_reachable,
)
from sparsitysolver.reporting.audit.claims import Claim, cost_claims, label_claims
from sparsitysolver.reporting.audit.read_published import PrintedTable, find_tables, read_printed

DENSE_ROW = "dense"  # the dense model's row, in any case
COSTS, LABELS = "costs.yaml", "labels.csv"  # claims about costs and labels, beside the tables


class Check(StrEnum):
    """The checks, in the order in which they are reported."""

    REACHABLE = "reachable"
    AVERAGE = "average"
    BETTER_THAN_DENSE = "better_than_dense"
    COST = "cost"
    LABEL = "label"


_TITLES = {
    Check.REACHABLE: "zero-shot accuracies against the number of items",
    Check.AVERAGE: "averages against the mean of their row",
    Check.BETTER_THAN_DENSE: "pruned models against the dense row",
    Check.COST: "costs against what they are made of",
    Check.LABEL: "sparsity labels and parameter counts against the model's shape",
}


@dataclass(frozen=True)
class Line:
    """One line of ``audit.csv``; ``value`` as printed, a dash where nothing is stated."""

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


COLUMNS = tuple(field.name for field in fields(Line))


def audit(path: Path, items: Mapping[str, int] | None = None) -> list[Line]:
    """Audit one table, or all tables of a folder with the claims about costs and labels that lie beside them.

    Args:
        path: a CSV file in the form of ``config/paper``, or a folder.
        items: number of items by zero-shot task, where it is not that of ``config/tasks.tsv``.

    Raises:
        SparsitySolverError: no table, or a broken one; the message names file, row and column.
    """
    tables = {table.name: table for table in map(read_printed, find_tables(path))}
    folder, whole = (path, True) if path.is_dir() else (path.parent, False)
    lines = [line for table in tables.values() for line in _cells(table, items or {})]
    for check, claims in (
        (Check.COST, cost_claims(folder / COSTS, tables, whole)),
        (Check.LABEL, label_claims(folder / LABELS, tables, whole)),
    ):
        lines += [_line(claim, check) for claim in claims]
    return lines


def _line(claim: Claim, check: Check) -> Line:
    return Line(claim.table, claim.method, claim.column, claim.value, check, *astuple(claim.finding))


def _cells(table: PrintedTable, items: Mapping[str, int]) -> Iterable[Line]:
    """The checks that every number of a table passes through."""
    dense = next((name for name in table.methods if name.lower() == DENSE_ROW), None)
    for check in (Check.REACHABLE, Check.AVERAGE, Check.BETTER_THAN_DENSE):
        for row in table.methods:
            for column in table.columns:
                if (row, column) in table.numbers:
                    finding = _finding(check, table, row, column, dense, items)
                    if finding is not None:
                        text = table.numbers[row, column].text
                        yield Line(table.name, row, column, text, check, finding.verdict, finding.detail)


def _finding(
    check: Check, table: PrintedTable, row: str, column: str, dense: str | None, items: Mapping[str, int]
) -> Finding | None:
    """What one check says of one number; None where it does not apply."""
    number, accuracy = table.numbers[row, column], is_zero_shot(column)
    answers = _answers(table, row, column, items) if accuracy else None
    if check is Check.REACHABLE:
        return check_reachable(number, answers) if accuracy else None
    if check is Check.AVERAGE:
        return _average(table, row) if column == AVERAGE else None
    if row == dense:
        return None
    if dense is None or (dense, column) not in table.numbers:
        return Finding.unchecked("there is no row Dense" if dense is None else "the dense row has no value")
    lower = not accuracy and column != AVERAGE
    return check_against_dense(number, table.numbers[dense, column], lower, answers)


def _answers(table: PrintedTable, row: str, task: str, items: Mapping[str, int]) -> int | None:
    """How many answers an accuracy rests on: as told, as the table itself says, or all items of the task."""
    if task in items:
        return items[task]
    if table.answers is not None:
        return table.answers.get(row, {}).get(task)
    return tasks_table()[task].n_items or None


def _average(table: PrintedTable, row: str) -> Finding:
    missing = [task for task in table.tasks if (row, task) not in table.numbers]
    if missing or not table.tasks:
        return Finding.unchecked(f"no value of {', '.join(missing) or 'any task'} in the row")
    return check_average(table.numbers[row, AVERAGE], [table.numbers[row, task] for task in table.tasks])


def summary(lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    """Counts by check and verdict, in the order of the checks."""
    counts = Counter((line.check, line.verdict) for line in lines)
    return {check.value: {verdict: counts[check, verdict] for verdict in (OK, FLAG)} for check in Check}


def write_audit(lines: Iterable[Line], path: Path) -> None:
    """Write ``audit.csv`` whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(astuple, lines))


def read_audit(path: Path) -> list[Line]:
    """Read what :func:`write_audit` wrote.

    Raises:
        SparsitySolverError: no such file, or not an audit.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            header, *rows = csv.reader(handle, strict=True)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no audit at {path}; make it with 'sparsitysolver audit'.") from error
    except (ValueError, csv.Error) as error:
        raise SparsitySolverError(f"{path} is not an audit: {error}.") from error
    if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise SparsitySolverError(f"{path} is not an audit: its columns must be {', '.join(COLUMNS)}.")
    return [Line(*row) for row in rows]


def audit_section(path: Path) -> str:
    """An audit as a section of a page: how much was checked, then every flagged number with its reason."""
    lines = read_audit(path)
    tables = ", ".join(dict.fromkeys(line.table for line in lines)) or "nothing"
    parts = [
        "## Audit of the printed numbers\n",
        f"Arithmetic on {tables}, as printed; the rules are in `docs/protocol.md`. A flag asks for an explanation, it "
        "gives none.\n",
    ]
    for check, counts in summary(lines).items():
        of_check = [line for line in lines if line.check == check]
        if of_check:
            unchecked = sum(not line.checked for line in of_check)
            left = f", {unchecked} of the others without anything to check against" if unchecked else ""
            parts.append(
                f"`{check}`, {_TITLES[Check(check)]}: {len(of_check)} looked at, {counts[FLAG]} flagged{left}.\n"
            )
            flagged = [f"- {flag_text(line)}\n" for line in of_check if line.verdict == FLAG]
            parts += ["".join(flagged)] if flagged else []
    return "\n".join(parts)


def flag_text(line: Line) -> str:
    """A flagged number and the reason, in one line."""
    return f"{line.table}, {line.method} × {line.column}: {line.value}; {line.detail}."


def parse_items(given: Sequence[str]) -> dict[str, int]:
    """``TASK=N`` options as numbers of items by task.

    Raises:
        SparsitySolverError: not of that form, no zero-shot task, or less than one item.
    """
    items = {}
    for text in given:
        task, _, number = text.partition("=")
        if not number.isdecimal() or int(number) < 1:
            raise SparsitySolverError(f"--items {text}: TASK=N is needed with N at least 1, such as boolq=3270.")
        items[zero_shot_task(task).key] = int(number)
    return items


def audit_command(path: Path, out: Path, items: Sequence[str] = (), as_json: bool = False) -> None:
    """``sparsitysolver audit``: write ``audit.csv``, print the flags; with ``as_json`` the counts on the last line."""
    lines = audit(path, parse_items(items))
    write_audit(lines, out)
    for line in lines:
        if line.verdict == FLAG:
            print(f"{line.check}: {flag_text(line)}")
    print(f"{out}: {sum(line.verdict == FLAG for line in lines)} of {len(lines)} checks flagged")
    if as_json:
        print(json.dumps(_result(lines, out)))


def _result(lines: Sequence[Line], out: Path) -> Json:
    return {
        "out": str(out),
        "tables": list(dict.fromkeys(line.table for line in lines)),
        "counts": summary(lines),
        "flagged": sum(line.verdict == FLAG for line in lines),
        "not_checked": sum(not line.checked for line in lines),
    }
