"""``results/claims.csv``: a verdict on every testable sentence of the paper, on the results of one grid."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsitysolver.config.registry import method
from sparsitysolver.config.settings import Run, load_grid
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans.needs import kinds, studies
from sparsitysolver.reporting.claims.definition import CLAIMS, Claim, load_claims
from sparsitysolver.reporting.claims.paired import Paired
from sparsitysolver.reporting.claims.results import Results, read_results
from sparsitysolver.reporting.claims.rules import Judgement, number
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.formats import write_csv

COLUMNS = (
    *("claim", "source", "grid", "verdict", "effect", "low", "high", "command"),
    *("id", "section", "unit", "n", "interval", "judged_on", "models", "note"),
)
_WHOLE = 1e4  # from here on digits after the point say nothing
_ASSETS_GRID = "local"  # the grid that needs a folder named
_PAPER_GRID = "paper"  # has every model and text that a claim names
_USUAL = ("structured", "unstructured")  # kinds of search whose number of episodes is the setting `episodes`


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


def _line(claim: Claim, found: Judgement, results: Results) -> tuple[str, ...]:
    numbers = ["" if value is None else _printed(value) for value in (found.effect, found.low, found.high)]
    # What a verdict is about and no more; empty where nothing was judged.
    judged_on = f"{results.grid} ({number(len(found.models), 'model')})" if found.models else ""
    return (
        *(claim.sentence, claim.source, results.grid, str(found.verdict), *numbers, command_of(claim, results)),
        *(claim.key, claim.section, found.unit, str(found.n or ""), found.interval),
        *(judged_on, " ".join(found.models), found.note),
    )


def _printed(value: float) -> str:
    """Four digits that count, and whole numbers such as parameters without an exponent."""
    return f"{value:.0f}" if abs(value) >= _WHOLE else f"{value:.4g}"


def command_of(claim: Claim, results: Results) -> str:
    """The command that measures anew what a claim is about, on the grid of some results, or on the paper's.

    The latter where the former lacks a model or text that the claim is about. Searches that are too short for the
    claim, or rewarded on other windows than the search they are measured against, are asked for as it needs them.
    """
    stand_in = any(results.stand_in(name) for name in compared_methods(claim))
    concerned = any(claim.concerns(model, results.families.get(model)) for model in results.models)
    grid = results.grid if concerned and not stand_in else _PAPER_GRID
    settings = {"grid": grid} | ({"assets": "DIR"} if grid == _ASSETS_GRID else {}) | _searches(claim, grid)
    named = " ".join(f"{name}={value}" for name, value in settings.items())
    target = f"results/{claim.needs}.csv" if claim.needs.startswith("table") else f"figures/{claim.needs}.png"
    if claim.needs in studies():
        target = f"results/{kinds(claim.needs)[0]}_{claim.needs}.csv"
    return f"snakemake --cores 2 {target} --config {named}"


def compared_methods(claim: Claim) -> list[str]:
    """The methods whose quality a claim compares; none for claims about other results."""
    test = claim.test
    return [test.method, *test.rivals] if isinstance(test, Paired) and test.measure == "quality" else []


def _searches(claim: Claim, grid: str) -> dict[str, int]:
    """Settings of a run by which its searches are what a claim needs, where the grid's own are not."""
    given = claim.test.model_dump(exclude_none=True)
    least, than = given.get("of") or given.get("by", 0), given.get("than")
    if isinstance(claim.test, Paired) or not (least or than):
        return {}
    searches, rows = Run().searches(load_grid(grid)), [method(name) for name in (given["method"], than) if name]
    kinds_of_search = [row.search_options.get("settings", row.granularity) for row in rows if row.reward]
    found = {kind: searches[kind] for kind in kinds_of_search}
    if not found:
        return {}
    least = max(least, next(iter(found.values()))["episodes"])  # a search from scratch has as many as the one beside it
    short = [kind for kind, settings in found.items() if settings["episodes"] < least]
    windows = {settings["reward_windows"] for settings in found.values()}
    episodes = {"episodes" if kind in _USUAL else f"{kind}_episodes": least for kind in short}
    return episodes | ({"reward_windows": max(windows)} if len(windows) > 1 else {})


def claims_command(results: Path, out: Path, grid: str, claims: Path = CLAIMS) -> None:
    """``sparsitysolver report claims``: judge the paper's claims on the results of a folder."""
    if not results.is_dir():
        raise SparsitySolverError(f"no results folder at {results}.")
    write_csv(claims_frame(load_claims(claims), read_results(results, grid)), out)
