"""The command that measures anew what a claim is about, on a grid that can."""

from sparsitysolver.config.registry import method
from sparsitysolver.config.settings import Run, load_grid
from sparsitysolver.plans.needs import kinds, studies
from sparsitysolver.reporting.claims.definition import Claim
from sparsitysolver.reporting.claims.paired import Paired
from sparsitysolver.reporting.claims.results import Results

_ASSETS_GRID = "local"  # the grid that needs a folder named
_PAPER_GRID = "paper"  # has every model and text that a claim names
_USUAL = ("structured", "unstructured")  # kinds of search whose number of episodes is the setting `episodes`


def command_of(claim: Claim, results: Results) -> str:
    """The command for the grid of some results; for the paper's where that one lacks what the claim is about.

    Searches that are too short there for the claim, or rewarded on other windows than the search they are measured
    against, are asked for as the claim needs them.
    """
    grid = results.grid if _concerned(claim, results) else _PAPER_GRID
    settings = {"grid": grid} | ({"assets": "DIR"} if grid == _ASSETS_GRID else {}) | _searches(claim, grid)
    named = " ".join(f"{name}={value}" for name, value in settings.items())
    return f"snakemake --cores 2 {_target(claim.needs)} --config {named}"


def _concerned(claim: Claim, results: Results) -> bool:
    """Whether the grid has the models and texts that a claim is about."""
    stand_in = any(results.stand_in(name) for name in compared_methods(claim))
    return not stand_in and any(claim.concerns(model, results.families.get(model)) for model in results.models)


def compared_methods(claim: Claim) -> list[str]:
    """The methods whose quality a claim compares; none for claims about other results."""
    test = claim.test
    return [test.method, *test.rivals] if isinstance(test, Paired) and test.measure == "quality" else []


def _target(name: str) -> str:
    if name in studies():
        return f"results/{kinds(name)[0]}_{name}.csv"
    return f"results/{name}.csv" if name.startswith("table") else f"figures/{name}.png"


def _searches(claim: Claim, grid: str) -> dict[str, int]:
    """Settings of a run by which its searches are what a claim needs, where the grid's own are not."""
    given = claim.test.model_dump(exclude_none=True)
    least, than = given.get("of") or given.get("by", 0), given.get("than")
    if isinstance(claim.test, Paired) or not (least or than):
        return {}
    searches = Run().searches(load_grid(grid))
    names = [name for name in (given["method"], than) if name and method(name).reward]
    found = {_kind(name): searches[_kind(name)] for name in names}
    if not found:
        return {}
    least = max(least, next(iter(found.values()))["episodes"])  # a search from scratch has as many as the one beside it
    short = [kind for kind, settings in found.items() if settings["episodes"] < least]
    windows = {settings["reward_windows"] for settings in found.values()}
    episodes = {"episodes" if kind in _USUAL else f"{kind}_episodes": least for kind in short}
    return episodes | ({"reward_windows": max(windows)} if len(windows) > 1 else {})


def _kind(name: str) -> str:
    """The kind of settings that a method's search takes."""
    row = method(name)
    return row.search_options.get("settings", row.granularity)
