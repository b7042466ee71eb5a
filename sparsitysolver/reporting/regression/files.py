"""``results/regression.csv``, the same as a page, and what the regression check says on the terminal."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.tables import DASH
from sparsitysolver.records.files import write_text
from sparsitysolver.reporting.collected.long_tables import write_rows
from sparsitysolver.reporting.compare.verdicts import REGRESSION_WORDS
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.regression.accepted import read_accepted
from sparsitysolver.reporting.regression.check import BESIDE, COLUMNS, WatchedValue, compare
from sparsitysolver.reporting.tables.entries import printed

_EXIT_REGRESSION = 1


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
    of_run = {
        key: row
        for key, row in (read_accepted(accepted, grid) if accepted else {}).items()
        if (not models or row["model"] in models) and (not seeds or row["method"] == "dense" or row["seed"] in seeds)
    }
    rows = compare(cells, of_run)
    lines = [line for row in rows for line in row.out]
    counted = f"regression on grid {grid}: {len(rows)} values"
    for kind in BESIDE:
        count = Counter(row.judged[kind].verdict for row in rows)
        found = ", ".join(f"{count[verdict]} {word}" for verdict, word in REGRESSION_WORDS.items() if count[verdict])
        counted += f"; {kind}: {found}"
    write_rows(out, COLUMNS, [row.record for row in rows])
    listed = "".join(f"- {line}\n" for line in lines)
    table = markdown(pd.DataFrame(map(_line, rows)))
    parts = [f"# Regression check, grid {grid}\n", f"{counted}\n", listed, f"{table}\n"]
    write_text(out.with_suffix(".md"), "\n".join(filter(None, parts)))
    print(counted)
    for line in lines:
        print(line, file=sys.stderr)
    return _EXIT_REGRESSION if lines else 0


def _line(row: WatchedValue) -> dict[str, str]:
    line = {"cell": ", ".join(row.key[:4]), "on": " ".join(row.key[4:]), "measured": printed(row.measured, 4)}
    for kind, judged in row.judged.items():
        line[kind] = judged.value or DASH
        line[f"{kind} verdict"] = f"{judged.word} ({judged.detail})" if judged.detail else judged.word
    return line
