"""The claims of the paper as a section of a page, from ``claims.csv`` alone."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.definition import BOLD
from sparsitysolver.reporting.claims.table import COLUMNS
from sparsitysolver.reporting.compare.intervals import CONFIDENCE
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.formats import markdown

_JUDGED = (Verdict.HOLDS, Verdict.FAILS, Verdict.NOISE)
_INTRODUCTION = """\
Every testable sentence of the paper, judged on the results of grid **{grid}** and on nothing else; on models that the
paper lacks, by analogy. A verdict is about the models beside it. A positive effect speaks for the claim; where only a
range is allowed, the effect is the quantity itself. Intervals ({confidence:.0%}) are Student's: over paired windows or
items, and over seeds where all rows have the same several (`not seeds`: another calibration draw or search may lie
outside), or over runs. A claim over several columns (models, sparsities, tasks) holds where every column's interval
lies above zero, and fails where any lies below; one about runs goes by the interval of their mean. Without an interval
the sign decides. Models that removed different amounts are not compared. Commands that measure each claim anew stand
in `{file}`.
"""


def claims_section(path: Path) -> str:
    """The verdicts of a ``claims.csv`` as markdown: counts, then the paper's sections, each with counts of its own.

    Beneath each table stand the notes of its claims, those that compare what is unequal with the figures of both, and
    the ids of those without a verdict on this grid.

    Raises:
        SparsitySolverError: no such file, or not a table of claims.
    """
    claims = _read(path)
    grid = ", ".join(dict.fromkeys(claims["grid"]))
    introduction = _INTRODUCTION.format(grid=grid, confidence=CONFIDENCE, file=path.name)
    parts = [introduction, f"All {len(claims)} claims: {_counts(claims)}.\n"]
    for section, of_section in claims.groupby("section", sort=False):
        number = f"{len(of_section)} claim{'s' if len(of_section) > 1 else ''}"
        parts += [f"### {section}\n", f"{number}: {_counts(of_section)}.\n", _judged(of_section)]
        parts += [_notes(of_section, _JUDGED), _notes(of_section, (Verdict.UNEQUAL,), "unequal sparsity; ")]
        for verdict in (Verdict.NOT_COMPARABLE, Verdict.NOT_RUN):
            keys = of_section.loc[of_section["verdict"] == verdict, "id"]
            parts.append(f"{str(verdict).capitalize()}: {', '.join(_names(keys))}.\n" if len(keys) else "")
    return "\n".join(part for part in parts if part)


def _read(path: Path) -> pd.DataFrame:
    try:
        claims = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no claims at {path}; judge them with 'sparsitysolver report claims'.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is not a table of claims: {error}; judge them anew.") from error
    missing = [column for column in COLUMNS if column not in claims]
    if missing:
        raise SparsitySolverError(
            f"{path} is not a table of claims: column '{missing[0]}' is missing; judge them anew."
        )
    return claims


def _counts(claims: pd.DataFrame) -> str:
    count = claims["verdict"].value_counts()
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in map(str, Verdict) if verdict in count)


def _names(keys: Iterable[str]) -> list[str]:
    """Ids of claims, those of bold cells counted by table."""
    names = [f"bold cells of {key.split('-')[1]}" if key.startswith(BOLD) else key for key in keys]
    return [f"{name} ({count})" if count > 1 else name for name, count in Counter(names).items()]


def _judged(claims: pd.DataFrame) -> str:
    judged = claims[claims["verdict"].isin(_JUDGED)]
    if judged.empty:
        return ""
    shown = pd.DataFrame(
        {
            "Claim": judged["claim"],
            "Source": judged["source"],
            "Verdict": judged["verdict"] + " on " + judged["judged_on"],
            "Effect": [_effect(row) for row in judged.itertuples()],
            "n": judged["n"],
            "Interval over": judged["interval"].replace("", DASH),
            "Models": judged["models"],
        }
    )
    return f"{markdown(shown)}\n"


def _notes(claims: pd.DataFrame, verdicts: Collection[Verdict], before: str = "") -> str:
    """A line for every claim of some verdicts that has a note."""
    noted = claims[claims["verdict"].isin(verdicts) & (claims["note"] != "")]
    return "".join(f"- {row.id}: {before}{row.note}\n" for row in noted.itertuples())


def _effect(row: pd.Series) -> str:
    interval = f" [{row.low}, {row.high}]" if row.low else ""
    return f"{row.effect}{interval} {row.unit}".strip()
