"""What pages show besides tables: the claims, the audit, the arena. In: their CSV files, out: Markdown."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.contract import read_lines
from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import PARETO, RANKS
from sparsitysolver.reporting.audit.checks import FLAG, Line
from sparsitysolver.reporting.audit.table import CHECKS, flag_text
from sparsitysolver.reporting.claims.definition import BOLD
from sparsitysolver.reporting.claims.table import COLUMNS
from sparsitysolver.reporting.collected.long_tables import read_long
from sparsitysolver.reporting.compare.intervals import CONFIDENCE, LEVEL
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.pages.templates import render
from sparsitysolver.reporting.studies.arena import LINE
from sparsitysolver.reporting.studies.arena_ranks import AXES
from sparsitysolver.reporting.tables.entries import printed

_JUDGED = (Verdict.HOLDS, Verdict.FAILS, Verdict.NOISE)
_LEAST = 0.001  # a smaller p is printed as such


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A file with these columns and perhaps others, all text."""
    header, lines = read_lines(path, columns[0])
    missing = [column for column in columns if column not in header]
    if missing:
        raise SparsitySolverError(f"{path}, line 1: column '{missing[0]}' is missing; make the file anew.")
    return pd.DataFrame([cells for _, cells in lines], columns=header)


def claims_section(path: Path) -> str:
    """The verdicts of a ``claims.csv`` as markdown: counts, then the paper's sections, each with counts of its own.

    Beneath each table stand the notes of its claims, those that compare what is unequal with the figures of both, and
    the ids of those without a verdict on this grid.

    Raises:
        SparsitySolverError: not a table of claims.
    """
    claims = _read(path, COLUMNS)
    sections = [
        {
            "title": title,
            "number": len(part),
            "counts": _counts(part),
            "judged": _judged(part),
            "notes": [_notes(part, _JUDGED), _notes(part, (Verdict.UNEQUAL,), "unequal sparsity; ")],
            "others": {
                str(verdict): _names(part.loc[part["verdict"] == verdict, "id"])
                for verdict in (Verdict.NOT_COMPARABLE, Verdict.NOT_RUN)
            },
        }
        for title, part in claims.groupby("section", sort=False)
    ]
    whole = {"grid": ", ".join(dict.fromkeys(claims["grid"])), "number": len(claims), "counts": _counts(claims)}
    return render("claims.md", **whole, confidence=f"{CONFIDENCE:.0%}", file=path.name, sections=sections)


def _counts(claims: pd.DataFrame) -> str:
    count = claims["verdict"].value_counts()
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in map(str, Verdict) if verdict in count)


def _names(keys: Iterable[str]) -> list[str]:
    """Ids of claims, those of bold cells counted by table."""
    names = Counter(f"bold cells of {key.split('-')[1]}" if key.startswith(BOLD) else key for key in keys)
    return [f"{name} ({count})" if count > 1 else name for name, count in names.items()]


def _judged(claims: pd.DataFrame) -> pd.DataFrame | None:
    judged = claims[claims["verdict"].isin(_JUDGED)]
    if judged.empty:
        return None
    intervals = [f" [{low}, {high}]" if low else "" for low, high in zip(judged["low"], judged["high"], strict=True)]
    return pd.DataFrame(
        {
            "Claim": judged["claim"],
            "Source": judged["source"],
            "Verdict": judged["verdict"] + " on " + judged["judged_on"],
            "Effect": (judged["effect"] + intervals + " " + judged["unit"]).str.strip(),
            "n": judged["n"],
            "Interval over": judged["interval"].replace("", DASH),
            "Models": judged["models"],
        }
    )


def _notes(claims: pd.DataFrame, verdicts: Sequence[Verdict], before: str = "") -> list[str]:
    """A line for every claim of some verdicts that has a note."""
    noted = claims[claims["verdict"].isin(verdicts) & (claims["note"] != "")]
    return [f"{key}: {before}{note}" for key, note in zip(noted["id"], noted["note"], strict=True)]


def audit_section(path: Path) -> str:
    """An ``audit.csv`` as a section of a page: how much was checked, then every flagged number with its reason.

    Raises:
        SparsitySolverError: not an audit.
    """
    lines = [Line(*row) for row in _read(path, Line._fields)[list(Line._fields)].itertuples(index=False)]
    checks = []
    for check, about in CHECKS.items():
        if of_check := [line for line in lines if line.check == check]:
            flagged = [flag_text(line) for line in of_check if line.verdict == FLAG]
            checks.append((check, about, len(of_check), flagged, sum(not line.checked for line in of_check)))
    return render("audit.md", tables=", ".join(dict.fromkeys(line.table for line in lines)), checks=checks)


def ranks_section(path: Path) -> str:
    """Test perplexity of every search and its difference from the paper's PPO, a column per problem, best first.

    An asterisk marks differences whose corrected p is below the level of the tests.
    """
    frame = read_long(path, RANKS)
    problems = list(frame.groupby(list(AXES), sort=False))
    order = frame.groupby("label", sort=False)["test_ppl"].apply(lambda ppl: float(np.log(ppl).mean())).sort_values()
    rows = []
    for label in order.index:
        row = {"Search": label}
        for (model, granularity, sparsity), group in problems:
            own = group[group["label"] == label]
            row[f"{model}, {granularity} {sparsity:g}"] = _rank(own.iloc[0]) if len(own) else DASH
        rows.append(row)
    seeds, tokens = int(frame["seeds"].max()), int(frame["tokens"].max())
    # A budget is N evaluations of the search's own windows, which is what the reference makes.
    note = (
        f"Mean test perplexity over {seeds} seeds, {tokens:,} evaluated tokens a search; in brackets the difference "
        "from the paper's PPO and the p of a paired t test over seeds, after Holm's correction for all differences of "
        f"the column, with * where it is below {LEVEL:g}. The test windows are the same for all seeds: what other text "
        "would change is not in p. Searches that removed more or less than the paper's PPO are not compared with it."
    )
    return f"{markdown(pd.DataFrame(rows))}\n\n{note}"


def _rank(row: pd.Series) -> str:
    text = printed(None if np.isnan(row["test_ppl"]) else row["test_ppl"])
    if row["status"] == LINE:
        text = f"{text} (no search)"
    if row["not_compared"]:
        return f"{text} [{row['not_compared']}]"
    if np.isnan(row["difference"]):
        return text
    difference, p = f"{row['difference']:+.1f}%", row["p_holm"]
    if np.isnan(p):
        return f"{text} [{difference}]"
    return f"{text} [{difference}{'*' if p < LEVEL else ''}, {f'p {p:.3f}' if p >= _LEAST else f'p < {_LEAST:g}'}]"


def pareto_section(path: Path) -> str:
    """Strategies of other sparsities from the surrogate's effects, beside uniform pruning; means over seeds."""
    frame = read_long(path, PARETO)
    keys = ["model", "granularity", "measured_at", "sparsity"]
    values = {"test_ppl": "From the effects", "uniform_test_ppl": "Uniform", "dense_test_ppl": "Dense"}
    means = frame.groupby(keys, sort=False)[list(values)].mean().reset_index()
    means[keys[2:]] = means[keys[2:]].map("{:g}".format)
    means[list(values)] = means[list(values)].map(printed)
    names = {key: key.replace("_", " ").capitalize() for key in keys}
    table = markdown(means.astype(object).rename(columns=names | values))
    return f"{table}\n\nTest perplexity, means over {frame['seed'].nunique()} seeds."


ARENA_SECTIONS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "arena": ("arena_ranks.csv", ranks_section),
    "pareto": ("arena_pareto.csv", pareto_section),
}
