"""``report redraw``: every table and figure anew, from a results folder or a bundle: no torch, no models, no jobs.

Each document is made by the command that made it first, in a folder that holds the collected files and nothing else.
A bundle is read with its own configuration, so that its tables keep their definitions when those here have changed.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sparsitysolver import CONFIG, CONFIG_VARIABLE, ROOT
from sparsitysolver.config.figures import load_figure
from sparsitysolver.config.tables import tables
from sparsitysolver.errors import EXIT_USER_ERROR, SparsitySolverError
from sparsitysolver.provenance import commit
from sparsitysolver.records.files import atomic_path, read_json
from sparsitysolver.reporting.bundle.archive import unpack_bundle
from sparsitysolver.reporting.tables import settings
from sparsitysolver.reporting.tables.files import grid_of

_CLI = ("-m", "sparsitysolver.cli")
_REPORT = (*_CLI, "report")
_COLLECTED = (".csv", ".npz", ".json")
_SCRIPTS = ROOT / "figures"
_OF_CLAIMS = ("cells.csv", "curves.csv", "strategies.csv", "inference.csv", "reconstruction.csv")


class Source(NamedTuple):
    """What is drawn from: a results folder and the configuration it was made with; ``name`` is its name in messages.

    ``other_code`` is said after errors where a bundle was exported by other code than this.
    """

    name: str
    results: Path
    config: Path
    other_code: str = ""


class Redrawn(NamedTuple):
    """A document: why it is left out, or Python's arguments to make it in a working folder, and its files there."""

    name: str
    left_out: str
    command: Sequence[str | Path]
    files: Sequence[str]
    stands_alone: bool = False  # the others are written even if it fails


def redraw_command(source: Path, out: Path, grid: str = "") -> None:
    """``sparsitysolver report redraw``: write tables, pages and figures of a results folder or bundle into a folder.

    Tables and pages belong together, and one that is broken means that nothing is written; figures stand alone, and
    those that fail are named when everything else is written. What lacks its files is left out, with the reason. The
    page names ``grid``, or the one kept beside the tables.
    """
    made, left_out, failed = [], [], []
    with _opened(source) as opened, tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for path in opened.results.iterdir():  # tables and pages, which are made of the others, are left behind
            if path.is_file() and path.suffix in _COLLECTED and not path.name.startswith("table"):
                (work / path.name).symlink_to(path.resolve())
        for document in _documents(opened, work, grid or grid_of(opened.results)):
            if document.left_out:
                left_out.append(document)
                continue
            try:
                _run(document.command, opened, work)
                made += [path for pattern in document.files for path in sorted(work.glob(pattern))]
            except SparsitySolverError as error:
                if not document.stands_alone:
                    raise
                failed.append(f"{document.name} cannot be drawn: {error}")
        for path in made:
            compared, original = "", opened.results / path.name
            if original.is_file():
                same = filecmp.cmp(path, original, shallow=False)
                compared = "  (as before)" if same else "  (differs from the one there)"
            print(f"{out / path.name}{compared}")
            with atomic_path(out / path.name) as temporary:
                shutil.copyfile(path, temporary)
    for document in left_out:
        print(f"left out: {document.name}: {document.left_out}")
    if failed:
        raise SparsitySolverError("; ".join(failed))


def _documents(source: Source, work: Path, grid: str) -> Iterator[Redrawn]:
    """Everything there is to draw, in the order in which it is made: the page shows the tables, audit and claims."""
    results, config = source.results, source.config

    def lacking(*names: str) -> str:
        return next((f"no {name}" for name in names if not (results / name).is_file()), "")

    for name in tables(config):
        lacks = lacking(f"cells_{name}.csv", f"{name}.footnotes.json")
        options = [] if lacks else ["--cells", work / f"cells_{name}.csv", *_axes(results, name), "--out", work]
        yield Redrawn(name, lacks, [*_REPORT, "table", name, *options], [f"{name}[._]*"])
    lacks, options = lacking(f"{settings.NAME}.strategies.json"), [*settings.strategies_shown(results), "--out", work]
    yield Redrawn(settings.NAME, lacks, [*_REPORT, "settings", *options], [f"{settings.NAME}[._]*"])
    yield Redrawn("audit.csv", "", [*_CLI, "audit", config / "paper", "--out", work / "audit.csv"], ["audit.csv"])
    for what, name, *needs in (("claims", "claims.csv", *_OF_CLAIMS), ("paper-tables", "paper_tables.md", "cells.csv")):
        lacks = lacking(*needs) or ("" if grid else "no table names its grid; name it with --grid")
        options = ["--results", work, "--grid", grid, "--out", work / name]
        yield Redrawn(name, lacks, [*_REPORT, what, *options], [name])
    for name in sorted(path.stem for path in (config / "figures").glob("*.yaml")):
        script, kinds = _SCRIPTS / f"{name}.py", load_figure(name, config).kinds
        lacks = lacking(*(f"{kind}_{name}.csv" for kind in kinds)) if script.is_file() else f"no {script.name}"
        files = [f"{name}.{ending}" for ending in ("png", "pdf", "txt")]
        yield Redrawn(name, lacks, [script, "--results", work, "--out", work / name], files, stands_alone=True)


def _axes(results: Path, table: str) -> list[str]:
    """Options that say for which models and tasks a table was made: the file beside it knows."""
    sidecar = results / f"{table}.footnotes.json"
    axes = read_json(sidecar, "table's footnotes")
    if not {"models", "tasks"} <= axes.keys():
        raise SparsitySolverError(f"{sidecar} does not name the models and tasks of {table}; make it anew.")
    settings = ["--settings", *axes["settings"]] if "settings" in axes else []
    return ["--models", *axes["models"], "--tasks", *axes["tasks"], "--grid", axes.get("grid", ""), *settings]


def _run(command: Sequence[str | Path], source: Source, work: Path) -> None:
    """Run Python on a command line, with the configuration of the source; an error is what it said."""
    line = [str(part) for part in command]
    environment = os.environ | {CONFIG_VARIABLE: str(source.config), "MPLBACKEND": "Agg"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    done = subprocess.run([sys.executable, *line], env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, EXIT_USER_ERROR):
        print(done.stderr, file=sys.stderr)
        raise SparsitySolverError(f"'{' '.join(line)}' failed, as it says above.")
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1]
        said = said.partition("error: ")[2].replace(str(work), source.name) or said
        raise SparsitySolverError(f"{said}{source.other_code}")


@contextmanager
def _opened(source: Path) -> Iterator[Source]:
    """A results folder as it is, or a bundle, unpacked, with the configuration that lies in it."""
    if source.is_dir():
        if not any(source.glob("cells*.csv")):
            raise SparsitySolverError(
                f"{source} holds no collected cells (cells*.csv) to draw from; make a table first, or name a bundle: "
                "make figures RESULTS=BUNDLE.zip."
            )
        yield Source(str(source), source, CONFIG)
        return
    with tempfile.TemporaryDirectory() as folder:
        manifest = unpack_bundle(source, Path(folder))
        commits = ", ".join(manifest["run"]["commits"])
        print(f"{source}: grid {manifest['grid'] or 'not named'}; cells of commit {commits}")
        by, here = manifest["commit"], commit()
        other = "" if by == here else f" The bundle was exported at commit {by}, this is {here}: check that one out."
        yield Source(str(source), Path(folder) / "results", Path(folder) / "config", other)
