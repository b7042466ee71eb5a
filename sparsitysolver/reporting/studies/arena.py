"""``arena.csv``: all searches of all problems, a row each; anytime curves, ranks and paired tests beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sparsitysolver.config.arena import ArenaDefinition, definition
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.records.columns import ANYTIME, ARENA, PARETO, RANKS
from sparsitysolver.records.files import Json, write_text
from sparsitysolver.reporting.collected.rows import read_finite, refuse_duplicates, write_rows
from sparsitysolver.reporting.formats.markdown import markdown
from sparsitysolver.reporting.studies.arena_ranks import AXES, KINDS, LINE, RAN, place, problems, ranks

NOT_RUN = "not run"


def arena_command(records: Sequence[Path], out: Path) -> None:
    """``report arena``: records of ``study arena`` to ``out`` and files beside it.

    ``arena.csv`` (a row per search), ``anytime_arena.csv`` (a row per point of a curve), ``arena_ranks.csv`` (a row per
    search and problem, over seeds), ``arena.md`` (the same to read), ``arena_pareto.csv`` (strategies of other budgets
    from the surrogate's measured effects).

    Raises:
        SparsitySolverError: no valid record, one problem and seed twice, or problems of different searches.
    """
    studies, arena = [read_finite(path, "arena") for path in dict.fromkeys(records)], definition()
    refuse_duplicates([*map(place, studies)], (*AXES, "seed"), "the arena")
    _check(studies, arena)
    compared = ranks(studies, arena)
    write_rows(out, ARENA.columns, [*_rows(studies, arena), *_not_run(studies, arena)])
    write_rows(out.with_name("anytime_arena.csv"), ANYTIME.columns, _curves(studies, arena))
    write_rows(out.with_name("arena_pareto.csv"), PARETO.columns, _pareto(studies))
    write_rows(out.with_name("arena_ranks.csv"), RANKS.columns, compared)
    pages = (_problem_page(key, compared, members) for key, members in problems(studies).items())
    write_text(out.with_suffix(".md"), "\n".join(pages))


def _check(studies: Sequence[Json], arena: ArenaDefinition) -> None:
    """Names are known; and seeds of one problem, compared in pairs, have the same searches on the same windows."""
    for study in studies:
        for kind, entries, _ in KINDS:
            for found in study[kind]:
                known("entrant of config/arena.yaml", found["algorithm"], getattr(arena, entries))
    for key, (first, *others) in problems(studies).items():
        for study in others:
            for what, of in (("searches", _searched), ("windows", _windows)):
                if of(study) != of(first):
                    raise SparsitySolverError(
                        f"seeds {first['seed']} and {study['seed']} of {', '.join(map(str, key))} have different "
                        f"{what}: {of(first)} and {of(study)}. Make one of them anew."
                    )


def _searched(study: Json) -> list[str]:
    return sorted(search["algorithm"] for search in study["searches"])


def _windows(study: Json) -> Json:
    return {split: (one.get("text_sha256"), one["windows"]) for split, one in study["fingerprints"].items()}


def _rows(studies: Sequence[Json], arena: ArenaDefinition) -> Iterator[Json]:
    """A row for every search, and one for every allocation without a search, which costs nothing."""
    for study in studies:
        for kind, entries, status in KINDS:
            for one in study[kind]:
                row = place(study) | {name: one[name] for name in ARENA.columns if name in one}
                row |= {"label": getattr(arena, entries)[one["algorithm"]].label, "status": status}
                row |= {"dense_test_ppl": study["dense"]["test_ppl"]}
                searched = {"driver": (one.get("driver") or {}).get("model", ""), "units": len(one["kept"])}
                yield row | (searched if status == RAN else {"evaluations": 0, "tokens": 0})


def _not_run(studies: Sequence[Json], arena: ArenaDefinition) -> Iterator[Json]:
    """Entrants that need a chat model, on problems where none was given."""
    for key, (first, *_) in problems(studies).items():
        for name, entry in arena.entrants.items():
            if entry.chat and name not in _searched(first):
                yield dict(zip(AXES, key, strict=True)) | {"algorithm": name, "label": entry.label, "status": NOT_RUN}


def _curves(studies: Sequence[Json], arena: ArenaDefinition) -> Iterator[Json]:
    for study in studies:
        uniform = next((line["validation_ppl"] for line in study["lines"] if line["algorithm"] == "uniform"), None)
        shared = place(study) | {"uniform_ppl": uniform, "dense_ppl": study["dense"]["validation_ppl"]}
        for search in study["searches"]:
            named = {"algorithm": search["algorithm"], "label": arena.entrants[search["algorithm"]].label}
            yield from (shared | point | named for point in search["anytime"])


def _pareto(studies: Sequence[Json]) -> Iterator[Json]:
    """Strategies of other budgets from the surrogate's table."""
    for study in studies:
        measured = {"measured_at": study["sparsity"], "dense_test_ppl": study["dense"]["test_ppl"]}
        yield from (place(study) | measured | point for point in study["pareto"])


def _problem_page(key: tuple[Any, ...], ranked: Sequence[Json], studies: Sequence[Json]) -> str:
    """The ranks of one problem as Markdown, best first."""
    rows = [row for row in ranked if tuple(row[axis] for axis in AXES) == key]
    model, granularity, sparsity = key
    compared = sum("p" in row for row in rows)
    tokens = max(search["tokens"] for study in studies for search in study["searches"])
    windows, dense = studies[0]["fingerprints"]["test"]["windows"], studies[0]["dense"]["test_ppl"]
    head = f"### {model}, {granularity}, sparsity {sparsity}\n\n"
    about = (
        f"{len(studies)} seeds, {tokens:,} tokens a search; perplexity on {windows} test windows (dense {dense:.3f}). "
        "Difference from the paper's PPO: paired t test over seeds, with the 95% interval and p of that comparison "
        f"alone, and p after Holm's correction for all {compared} of this table. Calibration and "
        "searches are drawn anew with every seed, the test windows are the same: how far other text would change a "
        "difference is not in it. Ranks are among searches that removed what was asked.\n\n"
    )
    return head + about + markdown(pd.DataFrame([*map(_line, rows)])) + "\n"


def _line(row: Json) -> dict[str, str]:
    def number(name: str, digits: int) -> str:
        return "–" if row.get(name) is None else f"{row[name]:.{digits}f}"

    difference = row.get("not_compared") or number("difference", 2)
    if row.get("low") is not None:
        difference = f"{difference}% [{row['low']:.2f}, {row['high']:.2f}]"
    return {
        "Search": row["label"],
        "Evaluations": "0" if row["status"] == LINE else number("evaluations", 0),
        "Validation": number("validation_ppl", 3),
        "Test": number("test_ppl", 3),
        "± over seeds": number("test_spread", 3),
        "Removed": f"{row['achieved_sparsity']:.1%}",
        "Rank": row.get("not_ranked") or number("rank", 1),
        "Difference": difference,
        "p": number("p", 3),
        "p, corrected": number("p_holm", 3),
        "s/proposal": number("seconds_per_proposal", 4),
    }
