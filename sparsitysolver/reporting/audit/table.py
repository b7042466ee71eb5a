"""``audit``: arithmetic checks of printed tables. It reports and corrects nothing; rules in ``docs/protocol.md``."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import zero_shot_task
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.audit.checks import FLAG, OK, Line, number_lines
from sparsitysolver.reporting.audit.claims import claim_lines
from sparsitysolver.reporting.audit.read_published import find_tables, read_printed
from sparsitysolver.reporting.formats import write_csv

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
    of_numbers = [line for table in tables.values() for line in number_lines(table, items or {})]
    return of_numbers + claim_lines(path if path.is_dir() else path.parent, tables, whole=path.is_dir())


def summary(lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    """Counts by check and verdict, in the order of the checks."""
    counts = Counter((line.check, line.verdict) for line in lines)
    return {check: {verdict: counts[check, verdict] for verdict in (OK, FLAG)} for check in CHECKS}


def flag_text(line: Line) -> str:
    """A flagged number and the reason, in one line."""
    return f"{line.table}, {line.method} × {line.column}: {line.value}; {line.detail}."


def audit_command(path: Path, out: Path, items: Sequence[str] = (), as_json: bool = False) -> None:
    """``sparsitysolver audit``: write ``audit.csv``, print the flags; with ``as_json`` the counts on the last line.

    Raises:
        SparsitySolverError: as :func:`audit`; an item count that is not ``TASK=N`` of a zero-shot task, at least 1.
    """
    numbers = {}
    for text in items:
        task, _, number = text.partition("=")
        if not number.isdecimal() or int(number) < 1:
            raise SparsitySolverError(f"--items {text}: TASK=N is needed with N at least 1, such as boolq=3270.")
        numbers[zero_shot_task(task).key] = int(number)
    lines = audit(path, numbers)
    write_csv(pd.DataFrame(lines, columns=list(Line._fields)), out)
    flagged = [line for line in lines if line.verdict == FLAG]
    for line in flagged:
        print(f"{line.check}: {flag_text(line)}")
    print(f"{out}: {len(flagged)} of {len(lines)} checks flagged")
    if as_json:
        result = {"out": str(out), "tables": list(dict.fromkeys(line.table for line in lines))}
        result |= {"counts": summary(lines), "flagged": len(flagged)}
        print(json.dumps(result | {"not_checked": sum(not line.checked for line in lines)}))
