"""``results/regression.csv``, the same as a page, and what the regression check says on the terminal."""

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.tables import DASH
from sparsitysolver.records.files import atomic_path, write_text
from sparsitysolver.reporting.compare.verdicts import REGRESSION_WORDS, Verdict
from sparsitysolver.reporting.pages.markdown import markdown
from sparsitysolver.reporting.regression.accepted import AXES, Values, read_accepted
from sparsitysolver.reporting.regression.check import Judged, WatchedValue, compare
from sparsitysolver.reporting.tables.entries import printed

EXIT_REGRESSION = 1
_BESIDE = ("published", "accepted")
_NOTHING = Judged(Verdict.NEW)
_COLUMNS = tuple(WatchedValue(("",) * len(AXES), None, _NOTHING, _NOTHING).record)


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
    with atomic_path(out) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.record for row in rows)
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
    for kind in _BESIDE:
        count = Counter(getattr(row, kind).verdict for row in rows)
        words = [f"{count[verdict]} {word}" for verdict, word in REGRESSION_WORDS.items() if count[verdict]]
        parts.append(f"{kind}: {', '.join(words)}")
    return f"regression on grid {grid}: {len(rows)} values; {'; '.join(parts)}"


def page(rows: Sequence[WatchedValue], grid: str) -> str:
    """The comparison as markdown: what is out, then every value."""
    lines = [line for row in rows for line in row.out]
    table = [
        {
            "cell": ", ".join(row.key[:4]),
            "on": " ".join(row.key[4:]),
            "measured": printed(row.measured, 4),
            **{
                name: text
                for kind in _BESIDE
                for name, text in ((kind, getattr(row, kind).value or DASH), (f"{kind} verdict", _verdict(row, kind)))
            },
        }
        for row in rows
    ]
    parts = [f"# Regression check, grid {grid}\n", f"{summary(rows, grid)}\n"]
    parts += ["".join(f"- {line}\n" for line in lines)] if lines else []
    return "\n".join([*parts, f"{markdown(pd.DataFrame(table))}\n"])


def _verdict(row: WatchedValue, kind: str) -> str:
    judged = getattr(row, kind)
    return f"{judged.word} ({judged.detail})" if judged.detail else judged.word
