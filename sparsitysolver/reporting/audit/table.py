"""``audit``: arithmetic checks of printed tables. It reports and corrects nothing; rules in ``docs/protocol.md``."""

import csv
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import AVERAGE, is_zero_shot, tasks_table, zero_shot_task
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.audit.checks import (
    FLAG,
    OK,
    Finding,
    Line,
    check_against_dense,
    check_average,
    check_reachable,
)
from sparsitysolver.reporting.audit.claims import claim_lines
from sparsitysolver.reporting.audit.read_published import PrintedTable, find_tables, read_printed
from sparsitysolver.reporting.formats import write_csv

COLUMNS = Line._fields
# The checks in the order in which they are reported, and what each is about.
CHECKS = {
    "reachable": "zero-shot accuracies against the number of items",
    "average": "averages against the mean of their row",
    "better_than_dense": "pruned models against the dense row",
    "cost": "costs against what they are made of",
    "label": "sparsity labels and parameter counts against the model's shape",
}


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
    of_numbers = [line for table in tables.values() for line in _number_lines(table, items or {})]
    return of_numbers + claim_lines(folder, tables, whole)


def _number_lines(table: PrintedTable, items: Mapping[str, int]) -> Iterator[Line]:
    """The checks that every number of a table passes through."""
    for check, judge in _OF_NUMBERS.items():
        for row, column in itertools.product(table.methods, table.columns):
            if (row, column) in table.numbers:
                finding = judge(table, row, column, _answers(table, row, column, items))
                if finding is not None:
                    yield Line(table.name, row, column, table.numbers[row, column].text, check, *finding)


def _answers(table: PrintedTable, row: str, column: str, items: Mapping[str, int]) -> int | None:
    """How many answers an accuracy rests on: as told, as the table itself says, or all items of the task."""
    if not is_zero_shot(column):
        return None
    if column in items:
        return items[column]
    if table.answers is not None:
        return table.answers.get(row, {}).get(column)
    return tasks_table()[column].n_items or None


def _reachable(table: PrintedTable, row: str, column: str, answers: int | None) -> Finding | None:
    return check_reachable(table.numbers[row, column], answers) if is_zero_shot(column) else None


def _average(table: PrintedTable, row: str, column: str, answers: int | None) -> Finding | None:
    if column != AVERAGE:
        return None
    missing = [task for task in table.tasks if (row, task) not in table.numbers]
    if missing or not table.tasks:
        return Finding.unchecked(f"no value of {', '.join(missing) or 'any task'} in the row")
    return check_average(table.numbers[row, AVERAGE], [table.numbers[row, task] for task in table.tasks])


def _better_than_dense(table: PrintedTable, row: str, column: str, answers: int | None) -> Finding | None:
    if row == table.dense:
        return None
    if (table.dense, column) not in table.numbers:
        return Finding.unchecked("the dense row has no value" if table.dense else "there is no row Dense")
    lower = not is_zero_shot(column) and column != AVERAGE
    return check_against_dense(table.numbers[row, column], table.numbers[table.dense, column], lower, answers)


# What a check says of one number and how many answers are behind it; None where it does not apply.
_OF_NUMBERS: dict[str, Callable[[PrintedTable, str, str, int | None], Finding | None]] = {
    "reachable": _reachable,
    "average": _average,
    "better_than_dense": _better_than_dense,
}


def summary(lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    """Counts by check and verdict, in the order of the checks."""
    counts = Counter((line.check, line.verdict) for line in lines)
    return {check: {verdict: counts[check, verdict] for verdict in (OK, FLAG)} for check in CHECKS}


def write_audit(lines: Iterable[Line], path: Path) -> None:
    """Write ``audit.csv`` whole or not at all."""
    write_csv(pd.DataFrame(lines, columns=list(COLUMNS)), path)


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
            parts.append(f"`{check}`, {CHECKS[check]}: {len(of_check)} looked at, {counts[FLAG]} flagged{left}.\n")
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
    flagged = [line for line in lines if line.verdict == FLAG]
    for line in flagged:
        print(f"{line.check}: {flag_text(line)}")
    print(f"{out}: {len(flagged)} of {len(lines)} checks flagged")
    if as_json:
        result = {"out": str(out), "tables": list(dict.fromkeys(line.table for line in lines))}
        result |= {"counts": summary(lines), "flagged": len(flagged)}
        print(json.dumps(result | {"not_checked": sum(not line.checked for line in lines)}))
