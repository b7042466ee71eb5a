"""Every file that is made of records alone, by a command that imports no torch: a rule of Snakemake each."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sparsitysolver.config.grid import RESULTS, Grid
from sparsitysolver.plans import collected, needs, self_pruner, transfer
from sparsitysolver.plans.arena import Arena
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.sources import code_sha256, project_file, source_files

_CATEGORIES = {"claims": "Claims and audit", "audit": "Claims and audit", "cells": "Provenance"}  # else Tables
_REPORTING = "sparsitysolver.reporting"


@dataclass(frozen=True)
class Document:
    """How a file is made. Inputs, settings and category may be functions of the wildcards in its path.

    Attributes:
        outputs: the file, and what its command writes beside it.
        inputs: files that it is made of, by name.
        command: with names of wildcards, inputs, settings and places in braces, and ``{out}``.
        code: the module whose source files decide it.
        settings: what decides it beside files.
        places: paths that its command names beside those, and that decide nothing.
        shown: how many of its files report.html shows; the wildcard in their name is that of their caption, too.
        category: the section that they stand in there.
    """

    name: str
    outputs: list[str]
    inputs: dict[str, Any]
    command: str
    code: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    shown: int = 0
    category: Any = None

    @property
    def log(self) -> str:
        """Where its command's words go: as its file lies in results."""
        return f"logs/{self.outputs[0].removeprefix(f'{RESULTS}/').rpartition('.')[0]}.log"

    def code_hash(self, wildcards: Mapping[str, str]) -> str:
        """Hash over the source files that decide it."""
        return code_sha256(source_files(self.code.format(**wildcards)))

    def words(self, wildcards: Mapping[str, str], files: Mapping[str, Any], out: str) -> str:
        """Its command with all names filled in, quoted."""
        settings = {name: value(wildcards) if callable(value) else value for name, value in self.settings.items()}
        values = {**settings, **wildcards, **self.places, **files, "out": out}
        return shlex.join(word for part in self.command.split() for word in _filled(part, values))


def _filled(part: str, values: Mapping[str, Any]) -> list[str]:
    value = values.get(part[1:-1]) if part.startswith("{") else None
    return [part.format(**values)] if value is None or isinstance(value, str) else list(value)


def documents(artefacts: Artefacts, arena: Arena, config: Mapping[str, Any]) -> list[Document]:
    """All documents of a grid."""
    grid = artefacts.grid
    of_records = [*_collections(artefacts), *_tables(artefacts), *_studies(artefacts, arena)]
    return [*of_records, *_paper(grid), _figure(grid), _page(grid), _html_report(artefacts, config)]


def _collections(artefacts: Artefacts) -> list[Document]:
    """Records of one kind in one file: of everything, or of one table, figure or study."""
    return [
        Document(
            "collect",
            [f"{RESULTS}/{{cells}}.csv", f"{RESULTS}/{{cells}}.samples.npz"],
            {"records": lambda w: collected.records(artefacts, w.cells)},
            "sparsitysolver report collect {records} --out {out}",
            code=f"{_REPORTING}.collected.collect",
        ),
        Document(
            "gather",
            [f"{RESULTS}/{{kind}}{{of}}.csv"],
            {"records": lambda w: collected.records(artefacts, f"{w.kind}{w.of}")},
            "sparsitysolver report {kind} {records} --out {out}",
            code=f"{_REPORTING}.collected.gather",
        ),
    ]


def _tables(artefacts: Artefacts) -> list[Document]:
    grid = artefacts.grid
    parts = (".csv", ".md", ".tex", "_extended.csv", "_extended.tex", ".footnotes.json", ".pairs.csv")
    parts_of_settings = (".csv", "_extended.csv", ".tex", ".md", ".strategies.json")
    return [
        Document(
            "table",
            [f"{RESULTS}/{{table}}{part}" for part in parts],
            {
                "cells": f"{RESULTS}/cells_{{table}}.csv",
                "samples": f"{RESULTS}/cells_{{table}}.samples.npz",
                "curves": lambda w: collected.table_curves(artefacts, w.table),
                "definition": project_file("config/tables/{table}.yaml"),
                "published": project_file("config/paper/{table}.csv"),
            },
            "sparsitysolver report table {table} --cells {cells} --models {models} --tasks {tasks} --grid {grid} "
            f"--out {RESULTS}",
            code=f"{_REPORTING}.tables.files",
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
            [f"{RESULTS}/table7{part}" for part in parts_of_settings],
            {
                "strategies": lambda w: collected.settings_strategies(artefacts),
                "published": project_file("config/paper/table7.csv"),
            },
            f"sparsitysolver report settings {{strategies}} --out {RESULTS}",
            code=f"{_REPORTING}.tables.settings",
        ),
    ]


def _studies(artefacts: Artefacts, arena: Arena) -> list[Document]:
    parts = ("arena.csv", "anytime_arena.csv", "arena_ranks.csv", "arena_pareto.csv", "arena.md")
    cells = f"{RESULTS}/cells_{self_pruner.NAME}"
    return [
        Document(
            "arena_table",
            [f"{RESULTS}/{part}" for part in parts],
            {"records": lambda w: arena.scores(), "definition": project_file("config/arena.yaml")},
            "sparsitysolver report arena {records} --out {out}",
            code=f"{_REPORTING}.studies.arena",
        ),
        Document(
            "transfer_matrix",
            [f"{RESULTS}/transfer.csv", f"{RESULTS}/transfer.md"],
            {"records": lambda w: transfer.records(artefacts)},
            "sparsitysolver report transfer {records} --out {out}",
            code=f"{_REPORTING}.studies.transfer",
        ),
        Document(
            "self_pruner_table",
            [f"{RESULTS}/self_pruner.csv", f"{RESULTS}/self_pruner.md"],
            {
                "cells": f"{cells}.csv",
                "samples": f"{cells}.samples.npz",
                "inference": lambda w: self_pruner.inference(artefacts).path,
                "definition": project_file("config/self_pruner.yaml"),
            },
            "sparsitysolver report self-pruner {cells} --inference {inference} --out {out}",
            code=f"{_REPORTING}.studies.self_pruner",
        ),
    ]


def _paper(grid: Grid) -> list[Document]:
    """What the measurements say of the paper, and what its own arithmetic says."""
    tables = grid.tables()
    published = [project_file(f"config/paper/{table}.csv") for table in tables]
    facts = ["paper/quantities.csv", "paper/costs.yaml", "paper/labels.csv", "models.tsv", "tasks.tsv"]
    collections = ["cells.csv", "cells.samples.npz", *(f"{kind}.csv" for kind in needs.KINDS if kind != needs.CELLS)]
    judged_by = ["paper/claims.yaml", "paper/tolerances.csv", *(f"grids/{name}.yaml" for name in {grid.name, "paper"})]
    return [
        Document(
            "claims",
            [f"{RESULTS}/claims.csv"],
            {
                "collections": [f"{RESULTS}/{name}" for name in collections],
                "judged_by": sorted(project_file(f"config/{name}") for name in judged_by),
                "tables": [*published, *(project_file(f"config/tables/{table}.yaml") for table in tables)],
            },
            f"sparsitysolver report claims --results {RESULTS} --grid {{grid}} --out {{out}}",
            code=f"{_REPORTING}.claims.table",
            settings={"grid": grid.name},
        ),
        Document(
            "audit",
            [f"{RESULTS}/audit.csv"],
            {"tables": published, "facts": [project_file(f"config/{name}") for name in facts]},
            "sparsitysolver audit {folder} --out {out}",
            code=f"{_REPORTING}.audit.table",
            places={"folder": project_file("config/paper")},
        ),
        Document(
            "paper_tables",
            ["paper_tables.md"],
            {
                "tables": [f"{RESULTS}/{name}.csv" for name in (*tables, "table7", "claims", "audit", "cells")],
                "notes": [f"{RESULTS}/{t}{part}" for t in tables for part in (".footnotes.json", ".pairs.csv")],
                "tolerances": project_file("config/paper/tolerances.csv"),
            },
            "sparsitysolver report paper-tables --grid {grid} --out {out}",
            code=f"{_REPORTING}.pages.paper_tables",
            settings={"grid": grid.name},
        ),
    ]


def _figure(grid: Grid) -> Document:
    """``figures/NAME.py`` draws ``results/*_NAME.csv``."""
    return Document(
        "figure",
        ["figures/{figure}.png", "figures/{figure}.pdf", "figures/{figure}.txt"],
        {
            "script": project_file("figures/{figure}.py"),
            "definition": project_file("config/figures/{figure}.yaml"),
            "data": lambda w: collected.figure_files(w.figure),
            "style": project_file("sparsitysolver/reporting/plots/style.mplstyle"),
        },
        f"python {{script}} --results {RESULTS} --out figures/{{figure}}",
        code="figures.{figure}",
        settings={"grid": grid.name, "title": lambda w: collected.figure_title(w.figure)},
        shown=2,
        category="Figures",
    )


def pages(grid: Grid) -> dict[str, str]:
    """Pages of report.html, and the files they show."""
    tables = {table: f"{RESULTS}/{table}.md" for table in [*grid.tables(), "table7"]}
    lists = {name: f"{RESULTS}/{name}.csv" for name in ("claims", "audit", "cells")}
    return {**tables, "paper_tables": "paper_tables.md", **lists}


def _page(grid: Grid) -> Document:
    return Document(
        "page",
        [f"{RESULTS}/pages/{{page}}.html"],
        {"source": lambda w: pages(grid)[w.page]},
        "sparsitysolver report html {source} --out {out}",
        code=f"{_REPORTING}.pages.html",
        settings={
            "grid": grid.name,
            "title": lambda w: grid.table(w.page).title if w.page in grid.tables() else "",
        },
        shown=1,
        category=lambda w: _CATEGORIES.get(w.page, "Tables"),
    )


def _html_report(artefacts: Artefacts, config: Mapping[str, Any]) -> Document:
    """Snakemake's own report, which it writes in a call of its own.

    It only reads, and all that it reads is finished and recorded before this job starts, so that it may run beside the
    call that holds the folder's lock.
    """
    grid = artefacts.grid
    captions = ("workflow", "page", "table", "figure")
    return Document(
        "html_report",
        [f"{RESULTS}/report.html"],
        {
            "pages": [f"{RESULTS}/pages/{page}.html" for page in pages(grid)],
            "tables": [f"{RESULTS}/{table}.csv" for table in [*grid.tables(), "table7"]],
            "figures": [f"figures/{figure}.png" for figure in needs.drawable(grid)],
            "captions": [project_file(f"docs/report/{name}.rst") for name in captions],
        },
        "snakemake -s {snakefile} {pages} {tables} {figures} --report {out} --nolock --config {config}",
        settings={"config": _settings_of_run(artefacts, config)},
        places={"snakefile": project_file("Snakefile")},
    )


def _settings_of_run(artefacts: Artefacts, config: Mapping[str, Any]) -> Callable[[Any], list[str]]:
    """This run's configuration for another call of Snakemake, which finds the assets as jobs do.

    The device as resolved: the other call cannot know that a cluster runs the jobs, and nor does this one until then.
    """

    def settings(_: Any) -> list[str]:
        given = {**config, "device": artefacts.machine.device}
        named = {name: value for name, value in sorted(given.items()) if value not in ("", None) and name != "assets"}
        return [f"{name}={json.dumps(value)}" for name, value in named.items()]

    return settings
