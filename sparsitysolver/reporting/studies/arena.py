"""``arena.csv``: all searches of all problems, a row each; anytime curves, ranks and paired tests beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sparsitysolver.config.arena import ArenaDefinition, definition
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.records.columns import ANYTIME, ARENA, PARETO, RANKS
from sparsitysolver.records.files import Json, write_text
from sparsitysolver.reporting.collected.long_tables import read_finite, refuse_duplicates, write_rows
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.studies.arena_ranks import ranks

RAN, LINE, NOT_RUN = "ran", "no search", "not run"
AXES = ("model", "granularity", "sparsity")


def arena_command(records: Sequence[Path], out: Path) -> None:
    """``report arena``: records of ``study arena`` to ``out`` and files beside it.

    ``arena.csv`` (a row per search), ``anytime_arena.csv`` (a row per point of a curve), ``arena_ranks.csv`` (a row per
    search and problem, over seeds), ``arena.md`` (the same to read), ``arena_pareto.csv`` (strategies of other budgets
    from the surrogate's measured effects).

    Raises:
        SparsitySolverError: no valid record, one problem and seed twice, or problems of different searches.
    """
    studies = [read_finite(path, "arena") for path in dict.fromkeys(records)]
    axes = [{name: study[name] for name in ("granularity", "sparsity", "seed")} for study in studies]
    problems = [{"model": study["model"]["name"]} | own for study, own in zip(studies, axes, strict=True)]
    refuse_duplicates(problems, (*AXES, "seed"), "the arena")
    arena = definition()
    for study in studies:
        _check_names(study, arena)
    _check_alike(studies)
    rows = [row for study in studies for row in _rows(study, arena)]
    write_rows(out, ARENA.columns, rows + list(_not_run(studies, arena)))
    curves = out.with_name("anytime_arena.csv")
    write_rows(curves, ANYTIME.columns, [row for study in studies for row in _curves(study, arena)])
    write_rows(out.with_name("arena_pareto.csv"), PARETO.columns, [row for study in studies for row in _pareto(study)])
    compared = ranks(studies, arena)
    write_rows(out.with_name("arena_ranks.csv"), RANKS.columns, compared)
    write_text(out.with_suffix(".md"), page(compared, studies))


def _check_names(study: Json, arena: ArenaDefinition) -> None:
    for kind, known in (("searches", arena.entrants), ("lines", arena.lines)):
        for found in study[kind]:
            if found["algorithm"] not in known:
                raise unknown_name("entrant of config/arena.yaml", found["algorithm"], known)


def _check_alike(studies: Sequence[Json]) -> None:
    """Seeds of one problem are compared in pairs: they need the same searches, on the same windows."""
    first: dict[tuple[Any, ...], Json] = {}
    for study in studies:
        key = tuple(_place(study)[axis] for axis in AXES)
        other = first.setdefault(key, study)
        for what, of in (("searches", _searched), ("windows", _windows)):
            if of(study) != of(other):
                raise SparsitySolverError(
                    f"seeds {other['seed']} and {study['seed']} of {', '.join(map(str, key))} have different {what}: "
                    f"{of(other)} and {of(study)}. Make one of them anew."
                )


def _searched(study: Json) -> list[str]:
    return sorted(search["algorithm"] for search in study["searches"])


def _windows(study: Json) -> Json:
    return {split: (one.get("text_sha256"), one["windows"]) for split, one in study["fingerprints"].items()}


def _place(study: Json) -> Json:
    return {"model": study["model"]["name"]} | {name: study[name] for name in ("granularity", "sparsity", "seed")}


def _rows(study: Json, arena: ArenaDefinition) -> Iterator[Json]:
    """A row for every search, and one for every allocation without a search, which costs nothing."""
    shared = _place(study) | {"dense_test_ppl": study["dense"]["test_ppl"]}
    for search in study["searches"]:
        label = arena.entrants[search["algorithm"]].label
        driver = (search.get("driver") or {}).get("model", "")
        kept = {name: search[name] for name in ARENA.columns if name in search}
        yield shared | kept | {"label": label, "status": RAN, "driver": driver, "units": len(search["kept"])}
    for line in study["lines"]:
        kept = {name: line[name] for name in ARENA.columns if name in line}
        label = arena.lines[line["algorithm"]].label
        yield shared | kept | {"label": label, "status": LINE, "evaluations": 0, "tokens": 0}


def _not_run(studies: Sequence[Json], arena: ArenaDefinition) -> Iterator[Json]:
    """Entrants that need a chat model, on problems where none was given."""
    for place in {tuple(_place(study)[axis] for axis in AXES): study for study in studies}.values():
        ran = {search["algorithm"] for search in place["searches"]}
        for name, entry in arena.entrants.items():
            if entry.chat and name not in ran:
                axes = {axis: _place(place)[axis] for axis in AXES}
                yield axes | {"algorithm": name, "label": entry.label, "status": NOT_RUN}


def _curves(study: Json, arena: ArenaDefinition) -> Iterator[Json]:
    uniform = next((line["validation_ppl"] for line in study["lines"] if line["algorithm"] == "uniform"), None)
    shared = _place(study) | {"uniform_ppl": uniform, "dense_ppl": study["dense"]["validation_ppl"]}
    for search in study["searches"]:
        label = arena.entrants[search["algorithm"]].label
        for point in search["anytime"]:
            yield shared | point | {"algorithm": search["algorithm"], "label": label}


def _pareto(study: Json) -> Iterator[Json]:
    """Strategies of other budgets from the surrogate's table."""
    place = _place(study)
    shared = {name: place[name] for name in ("model", "granularity", "seed")} | {"measured_at": study["sparsity"]}
    for point in study["pareto"]:
        yield shared | point | {"dense_test_ppl": study["dense"]["test_ppl"]}


def page(compared: Sequence[Json], studies: Sequence[Json]) -> str:
    """The ranks as Markdown, a table per problem, best first."""
    parts = []
    for key in dict.fromkeys(tuple(row[axis] for axis in AXES) for row in compared):
        rows = [row for row in compared if tuple(row[axis] for axis in AXES) == key]
        of_problem = [study for study in studies if tuple(_place(study)[axis] for axis in AXES) == key]
        parts.append(_problem_page(key, rows, of_problem))
    return "\n".join(parts)


def _problem_page(key: tuple[Any, ...], rows: Sequence[Json], studies: Sequence[Json]) -> str:
    model, granularity, sparsity = key
    tokens = max(search["tokens"] for study in studies for search in study["searches"])
    windows = studies[0]["fingerprints"]["test"]["windows"]
    dense = studies[0]["dense"]["test_ppl"]
    compared = sum("p" in row for row in rows)
    head = f"### {model}, {granularity}, sparsity {sparsity}\n\n"
    about = (
        f"{len(studies)} seeds, {tokens:,} tokens a search; perplexity on {windows} test windows (dense {dense:.3f}). "
        "Difference from the paper's PPO: paired t test over seeds, with the 95% interval and p of that comparison "
        f"alone, and p after Holm's correction for all {compared} of this table. Calibration and searches are drawn "
        "anew with every seed, the test windows are the same: how far other text would change a difference is not in "
        "it. Ranks are among searches that removed what was asked.\n\n"
    )
    columns = [
        *("Search", "Evaluations", "Validation", "Test", "± over seeds", "Removed", "Rank", "Difference"),
        *("p", "p, corrected", "s/proposal"),
    ]
    return head + about + markdown(pd.DataFrame([_line(row) for row in rows], columns=columns)) + "\n"


def _line(row: Json) -> list[str]:
    def number(name: str, digits: int) -> str:
        return "–" if row.get(name) is None else f"{row[name]:.{digits}f}"

    difference = row.get("not_compared") or number("difference", 2)
    if row.get("low") is not None:
        difference = f"{difference}% [{row['low']:.2f}, {row['high']:.2f}]"
    ppls = (number("validation_ppl", 3), number("test_ppl", 3), number("test_spread", 3))
    compared = (row.get("not_ranked") or number("rank", 1), difference, number("p", 3), number("p_holm", 3))
    evaluations = "0" if row["status"] == LINE else number("evaluations", 0)
    cost = number("seconds_per_proposal", 4)
    return [row["label"], evaluations, *ppls, f"{row['achieved_sparsity']:.1%}", *compared, cost]
