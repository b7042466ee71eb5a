"""``results/claims.csv``: a verdict on every testable sentence of the paper, on the results of one grid."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.commands import command_of
from sparsitysolver.reporting.claims.definition import CLAIMS, Claim, load_claims
from sparsitysolver.reporting.claims.results import Results, read_results
from sparsitysolver.reporting.claims.rules import Judgement, number
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.formats import write_csv

COLUMNS = (
    *("claim", "source", "grid", "verdict", "effect", "low", "high", "command"),
    *("id", "section", "unit", "n", "interval", "judged_on", "models", "note"),
)
_WHOLE = 1e4  # from here on digits after the point say nothing


def judge_claim(claim: Claim, results: Results) -> Judgement:
    """The verdict on one claim.

    A claim about certain models or families is judged on these, and not comparable on a grid without any of them. All
    other claims are claims of order, judged on every model that has results for them.

    Raises:
        SparsitySolverError: results that cannot be judged, such as two searches where a claim needs one.
    """
    models = [model for model in results.models if claim.concerns(model, results.families.get(model))]
    if not models:
        if claim.models or claim.families:
            more = f" and {len(claim.models) - 3} more" if len(claim.models) > 3 else ""
            about = ", ".join(claim.models[:3]) + more or f"family {' or '.join(claim.families)}"
            return Judgement(Verdict.NOT_COMPARABLE, note=f"about {about}, not on this grid")
        return Judgement(Verdict.NOT_RUN, note="no results")
    try:
        judgement = claim.test.judge(results.of_models(models))
    except SparsitySolverError as error:
        raise SparsitySolverError(f"claim '{claim.key}': {error}") from error
    return judgement.opposite if claim.negated else judgement


def claims_frame(claims: Sequence[Claim], results: Results) -> pd.DataFrame:
    """Every claim with its verdict as texts, columns ``COLUMNS``; what has no number is empty."""
    lines = [_line(claim, judge_claim(claim, results), results) for claim in claims]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _line(claim: Claim, judgement: Judgement, results: Results) -> dict[str, str]:
    return {
        "claim": claim.sentence,
        "source": claim.source,
        "grid": results.grid,
        "verdict": str(judgement.verdict),
        "effect": _number(judgement.effect),
        "low": _number(judgement.low),
        "high": _number(judgement.high),
        "command": command_of(claim, results),
        "id": claim.key,
        "section": claim.section,
        "unit": judgement.unit,
        "n": str(judgement.n) if judgement.n else "",
        "interval": judgement.interval,
        "judged_on": _judged_on(judgement, results.grid),
        "models": " ".join(judgement.models),
        "note": judgement.note,
    }


def _judged_on(judgement: Judgement, grid: str) -> str:
    """What a verdict is about and no more: ``tiny (3 models)``; empty where nothing was judged."""
    return f"{grid} ({number(len(judgement.models), 'model')})" if judgement.models else ""


def _number(value: float | None) -> str:
    """Four digits that count, and whole numbers such as parameters without an exponent."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= _WHOLE else f"{value:.4g}"


def claims_command(results: Path, out: Path, grid: str, claims: Path = CLAIMS) -> None:
    """``sparsitysolver report claims``: judge the paper's claims on the results of a folder."""
    if not results.is_dir():
        raise SparsitySolverError(f"no results folder at {results}.")
    write_csv(claims_frame(load_claims(claims), read_results(results, grid)), out)
