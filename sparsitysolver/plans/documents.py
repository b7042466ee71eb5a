"""Every file that is made of records alone, by a command that imports no torch: a rule of Snakemake each."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparsitysolver.config.registry import SEARCHING
from sparsitysolver.document_commands import DOCUMENTS
from sparsitysolver.plans import needs, self_pruner, transfer
from sparsitysolver.plans.arena import Arena
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.collected import records
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.sources import code_sha256, project_file, source_files

_CATEGORIES = {"claims": "Claims and audit", "audit": "Claims and audit", "cells": "Provenance"}  # else Tables


@dataclass(frozen=True)
class Document:
    """How a file is made. Lists, settings and category may be functions of the wildcards in its path.

    Attributes:
        outputs: the file, and what its command writes beside it.
        command: with names of wildcards, lists and settings in braces, and ``{out}``; a line each if there are several.
            ``@`` stands before a path in the project, here and in ``files``.
        files: that it is made of.
        lists: of further such files, by name.
        settings: what decides it beside files.
        shown: how many of its files report.html shows; the wildcard in their name is that of their caption, too.
        category: the section that they stand in there.
    """

    name: str
    outputs: list[str]
    command: str
    files: list[str] = field(default_factory=list)
    lists: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    shown: int = 0
    category: Any = None

    @property
    def inputs(self) -> dict[str, Any]:
        """All files that it is made of."""
        return {"files": [*map(_located, self.files)], **self.lists}

    @property
    def log(self) -> str:
        """Where its command's words go: as its file lies in results."""
        return f"logs/{self.outputs[0].removeprefix('results/').rpartition('.')[0]}.log"

    def code_hash(self, wildcards: Mapping[str, str]) -> str:
        """Hash over the source files that decide it: those of its command, or of its script."""
        program, what, more = (word.format(**wildcards) for word in self.command.split()[:3])
        if program == "python":
            return code_sha256(source_files(what[1:].removesuffix(".py").replace("/", ".")))
        run = DOCUMENTS.get(what) or DOCUMENTS.get(f"{what} {more}")  # else Snakemake
        return code_sha256(source_files(f"sparsitysolver.{run.runs.partition(':')[0]}") if run else ())

    def words(self, wildcards: Mapping[str, str], files: Mapping[str, Any], out: str) -> str:
        """Its command with all names filled in, quoted."""
        settings = {name: value(wildcards) if callable(value) else value for name, value in self.settings.items()}
        values = {**settings, **wildcards, **files, "out": out}

        def filled(word: str) -> list[str]:
            value = values.get(word[1:-1]) if word.startswith("{") else None
            return [_located(word).format(**values)] if value is None or isinstance(value, str) else list(value)

        commands = ([part for word in line.split() for part in filled(word)] for line in self.command.splitlines())
        return " && ".join(map(shlex.join, commands))


def _located(path: str) -> str:
    return project_file(path[1:]) if path.startswith("@") else path


def _each(path: str, names: Iterable[str]) -> list[str]:
    """A path for every name, which stands where it has ``{}``."""
    return [path.replace("{}", name) for name in names]


def documents(artefacts: Artefacts, arena: Arena, config: Mapping[str, Any]) -> list[Document]:
    """All documents of a grid."""
    grid = artefacts.grid
    of_records = [*_collections(artefacts), *_tables(artefacts), *_studies(artefacts, arena)]
    return [*of_records, *_paper(grid), _regression(grid), *_shown(grid), _html_report(artefacts, config)]


def _collections(artefacts: Artefacts) -> list[Document]:
    """Records of one kind in one file: of everything, or of one table, figure or study."""
    return [
        Document(
            "collect",
            ["results/{cells}.csv", "results/{cells}.samples.npz"],
            "sparsitysolver report collect {records} --out {out}",
            lists={"records": lambda w: records(artefacts, w.cells)},
        ),
        Document(
            "gather",
            ["results/{kind}{of}.csv"],
            "sparsitysolver report {kind} {records} --out {out}",
            lists={"records": lambda w: records(artefacts, f"{w.kind}{w.of}")},
        ),
    ]


def _tables(artefacts: Artefacts) -> list[Document]:
    grid = artefacts.grid
    suffixes = (".csv", ".md", ".tex", "_extended.csv", "_extended.tex", ".footnotes.json", ".pairs.csv")
    cells = ["results/cells_{table}.csv", "results/cells_{table}.samples.npz"]

    def curves(w: Any) -> list[str]:
        """Of a table with rows that are read from searches."""
        return [f"results/curves_{w.table}.csv"] if needs.needed(grid, needs.CURVES, w.table) else []

    def strategies(_: Any) -> list[str]:
        """Those whose agent's settings are Table 7: the structured searches of Table 2."""
        models = grid.own_models("table7") or grid.models
        return [artefacts.search(Cell(model, SEARCHING, "0.2", "0", grid.task)).path for model in models]

    return [
        Document(
            "table",
            _each("results/{table}{}", suffixes),
            "sparsitysolver report table {table} --cells results/cells_{table}.csv --models {models} --tasks {tasks} "
            f"--grid {{grid}} {grid.run.protocol_words}--out results",
            [*cells, "@config/tables/{table}.yaml", "@config/paper/{table}.csv"],
            lists={"curves": curves},
            settings={
                "models": lambda w: grid.table_models(w.table),
                "tasks": lambda w: grid.table_tasks(w.table) or [grid.task],
                "grid": grid.name,
                "title": lambda w: grid.table(w.table).title,
            },
            shown=1,
            category="Tables",
        ),
        Document(
            "settings_table",
            _each("results/table7{}", (".csv", "_extended.csv", ".tex", ".md", ".strategies.json")),
            "sparsitysolver report settings {strategies} --out results",
            ["@config/paper/table7.csv"],
            lists={"strategies": strategies},
        ),
    ]


def _studies(artefacts: Artefacts, arena: Arena) -> list[Document]:
    parts = ("arena.csv", "anytime_arena.csv", "arena_ranks.csv", "arena_pareto.csv", "arena.md")
    cells = f"results/cells_{self_pruner.NAME}"
    return [
        Document(
            "arena_table",
            _each("results/{}", parts),
            "sparsitysolver report arena {records} --out {out}",
            ["@config/arena.yaml"],
            lists={"records": lambda _: arena.scores()},
        ),
        Document(
            "transfer_matrix",
            ["results/transfer.csv", "results/transfer.md"],
            "sparsitysolver report transfer {records} --out {out}",
            lists={"records": lambda _: transfer.records(artefacts)},
        ),
        Document(
            "self_pruner_table",
            ["results/self_pruner.csv", "results/self_pruner.md"],
            f"sparsitysolver report self-pruner {cells}.csv --inference {{inference}} --out {{out}}",
            [f"{cells}.csv", f"{cells}.samples.npz", "@config/self_pruner.yaml"],
            lists={"inference": lambda _: self_pruner.inference(artefacts).path},
        ),
    ]


def _paper(grid: Grid) -> list[Document]:
    """What the measurements say of the paper, and what its own arithmetic says."""
    tables, published = grid.tables(), _each("@config/paper/{}.csv", grid.tables())
    collected = ["cells.csv", "cells.samples.npz", *(f"{kind}.csv" for kind in needs.KINDS if kind != needs.CELLS)]
    judged_by = ["paper/claims.yaml", "paper/tolerances.csv", *(f"grids/{name}.yaml" for name in {grid.name, "paper"})]
    definitions = _each("@config/tables/{}.yaml", tables)
    facts = ("paper/quantities.csv", "paper/costs.yaml", "paper/labels.csv", "models.tsv", "tasks.tsv")
    made = _each("results/{}.csv", (*tables, "table7", "claims", "audit", "cells"))
    made += [f"results/{table}{part}" for table in tables for part in (".footnotes.json", ".pairs.csv")]
    return [
        Document(
            "claims",
            ["results/claims.csv"],
            "sparsitysolver report claims --results results --grid {grid} --out {out}",
            [*_each("results/{}", collected), *_each("@config/{}", sorted(judged_by)), *published, *definitions],
            settings={"grid": grid.name},
        ),
        Document(
            "audit",
            ["results/audit.csv"],
            "sparsitysolver audit @config/paper --out {out}",
            [*published, *_each("@config/{}", facts)],
        ),
        Document(
            "paper_tables",
            ["paper_tables.md"],
            "sparsitysolver report paper-tables --grid {grid} --out {out}",
            [*made, "@config/paper/tolerances.csv"],
            settings={"grid": grid.name},
        ),
    ]


def _regression(grid: Grid) -> Document:
    """A few cells against published and last accepted values; fails where a cell has left its value.

    The comparison is made in a file that is no output, so that Snakemake does not delete it with those of a failed job:
    ``results/regression.csv`` is there if the check was passed, and only then.
    """
    stored = f"results/accepted/{grid.name}.csv"  # beside the results, else in the project, if there at all
    accepted = [path for path in (stored, project_file(stored)) if Path(path).is_file()][:1]
    judged_by = ["regression/tolerances.csv", "paper/tolerances.csv", "regression/cells.yaml"]
    judged_by += _each("paper/{}.csv", grid.tables())
    return Document(
        "regression",
        ["results/regression.csv"],
        "sparsitysolver report regression --cells results/cells_regression.csv --grid {grid} --models {models} "
        "--seeds {seeds} {against} --out results/regression/comparison.csv\n"
        "cp results/regression/comparison.csv {out}",
        ["results/cells_regression.csv", *accepted, *_each("@config/{}", judged_by)],
        settings={
            "grid": grid.name,
            "models": grid.models,  # accepted values of other runs are left out
            "seeds": grid.seeds,
            "against": [word for path in accepted for word in ("--accepted", path)],
        },
    )


def pages(grid: Grid) -> dict[str, str]:
    """Pages of report.html, and the files they show."""
    tables = {table: f"results/{table}.md" for table in [*grid.tables(), "table7"]}
    lists = {name: f"results/{name}.csv" for name in ("claims", "audit", "cells")}
    return {**tables, "paper_tables": "paper_tables.md", **lists}


def _shown(grid: Grid) -> list[Document]:
    """``figures/NAME.py`` draws ``results/*_NAME.csv``; pages show tables."""

    def title(w: Any) -> str:
        return grid.table(w.page).title if w.page in grid.tables() else ""

    style = "@sparsitysolver/reporting/plots/style.mplstyle"
    return [
        Document(
            "figure",
            ["figures/{figure}.png", "figures/{figure}.pdf", "figures/{figure}.txt"],
            "python @figures/{figure}.py --results results --out figures/{figure}",
            ["@figures/{figure}.py", "@config/figures/{figure}.yaml", style],
            lists={"data": lambda w: [f"results/{kind}_{w.figure}.csv" for kind in needs.kinds(w.figure)]},
            settings={"grid": grid.name, "title": lambda w: needs.figure(w.figure).title},
            shown=2,
            category="Figures",
        ),
        Document(
            "page",
            ["results/pages/{page}.html"],
            "sparsitysolver report html {source} --out {out}",
            lists={"source": lambda w: pages(grid)[w.page]},
            settings={"grid": grid.name, "title": title},
            shown=1,
            category=lambda w: _CATEGORIES.get(w.page, "Tables"),
        ),
    ]


def _html_report(artefacts: Artefacts, config: Mapping[str, Any]) -> Document:
    """Snakemake's own report, which it writes in a call of its own.

    It only reads, and all that it reads is finished and recorded before this job starts, so that it may run beside the
    call that holds the folder's lock.
    """
    grid = artefacts.grid
    shown = _each("results/pages/{}.html", pages(grid)) + _each("results/{}.csv", [*grid.tables(), "table7"])
    shown += _each("figures/{}.png", needs.drawable(grid))

    def settings(_: Any) -> list[str]:
        """This run's configuration for the other call, which finds the assets as jobs do.

        The device as resolved: the other call cannot know that a cluster runs the jobs, nor does this one until then.
        """
        given = sorted({**config, "grid": grid.name, "device": artefacts.machine.device}.items())
        return [f"{name}={json.dumps(value)}" for name, value in given if value not in ("", None) and name != "assets"]

    return Document(
        "html_report",
        ["results/report.html"],
        "snakemake -s @Snakefile {shown} --report {out} --nolock --config {config}",
        _each("@docs/report/{}.rst", ("workflow", "page", "table", "figure")),
        lists={"shown": shown},
        settings={"config": settings},
    )
