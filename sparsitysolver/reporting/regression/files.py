"""``results/regression.csv``, the same as a page, and what the regression check says on the terminal."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.tables import DASH
from sparsitysolver.records.files import write_text
from sparsitysolver.reporting.collected.rows import write_rows
from sparsitysolver.reporting.compare.verdicts import REGRESSION_WORDS
from sparsitysolver.reporting.formats.markdown import markdown
from sparsitysolver.reporting.regression.accepted import Values, read_accepted
from sparsitysolver.reporting.regression.check import BESIDE, COLUMNS, WatchedValue, compare
from sparsitysolver.reporting.tables.entries import printed

EXIT_REGRESSION = 1


def regression_command(
    cells: Path, accepted: Path | None, grid: str, out: Path, models: Sequence[str], seeds: Sequence[str]
) -> int:
    """``sparsitysolver report regression``: write the comparison in any case, name what is out.

    Args:
        cells: collected cells.
        accepted: file of accepted values; without one every value is new.
        grid: its grid.
        out: the CSV to write; the page goes beside it as ``.md``.
        models: accepted values of other models are left out; none: all count.
        seeds: the same for seed indices; the dense model has none.

    Returns:
        the exit status: 1 if a value is out or an accepted one is missing.
    """
    rows = compare(cells, _of_run(read_accepted(accepted, grid), models, seeds) if accepted else {})
    lines = [line for row in rows for line in row.out]
    write_rows(out, COLUMNS, [row.record for row in rows])
    write_text(out.with_suffix(".md"), page(rows, grid))
    print(summary(rows, grid))
    for line in lines:
        print(line, file=sys.stderr)
    return EXIT_REGRESSION if lines else 0


def _of_run(accepted: Values, models: Sequence[str], seeds: Sequence[str]) -> Values:
    return {
        key: row
        for key, row in accepted.items()
        if (not models or row["model"] in models) and (not seeds or row["method"] == "dense" or row["seed"] in seeds)
    }


def summary(rows: Sequence[WatchedValue], grid: str) -> str:
    """One line: how many values have which verdict."""
    parts = []
    for kind in BESIDE:
        count = Counter(row.judged[kind].verdict for row in rows)
        found = ", ".join(f"{count[verdict]} {word}" for verdict, word in REGRESSION_WORDS.items() if count[verdict])
        parts.append(f"{kind}: {found}")
    return f"regression on grid {grid}: {len(rows)} values; {'; '.join(parts)}"


def page(rows: Sequence[WatchedValue], grid: str) -> str:
    """The comparison as markdown: what is out, then every value."""
    out = "".join(f"- {line}\n" for row in rows for line in row.out)
    parts = [f"# Regression check, grid {grid}\n", f"{summary(rows, grid)}\n", *([out] if out else [])]
    return "\n".join([*parts, f"{markdown(pd.DataFrame(map(_line, rows)))}\n"])


def _line(row: WatchedValue) -> dict[str, str]:
    line = {"cell": ", ".join(row.key[:4]), "on": " ".join(row.key[4:]), "measured": printed(row.measured, 4)}
    for kind, judged in row.judged.items():
        line[kind] = judged.value or DASH
        line[f"{kind} verdict"] = f"{judged.word} ({judged.detail})" if judged.detail else judged.word
    return line
