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
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Source:
    """What is drawn from: a results folder and the configuration it was made with; ``name`` is its name in messages.

    ``other_code`` is said after errors where a bundle was exported by other code than this.
    """

    name: str
    results: Path
    config: Path
    other_code: str = ""


@dataclass(frozen=True)
class Redrawn:
    """A document: why it is left out, or Python's arguments to make it in a working folder, and its files there."""

    name: str
    left_out: str
    command: Sequence[str | Path]
    files: tuple[str, ...]
    stands_alone: bool = False  # the others are written even if it fails


def redraw_command(source: Path, out: Path, grid: str = "") -> None:
    """``sparsitysolver report redraw``: write tables, pages and figures into a folder.

    Tables and pages belong together, and one that is broken means that nothing is written; figures stand alone, and
    those that fail are named when everything else is written. What lacks its files is left out, with the reason.

    Args:
        source: a results folder, or a bundle.
        out: the folder to write into.
        grid: the grid that the page names; the one kept beside the tables by default.

    Raises:
        SparsitySolverError: nothing to draw from, a broken bundle, or broken results.
    """
    made, left_out, failed = [], [], []
    with _opened(source) as opened, tempfile.TemporaryDirectory() as folder:
        work = _links(opened.results, Path(folder))
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
            print(f"{out / path.name}{_compared(path, opened.results)}")
            with atomic_path(out / path.name) as temporary:
                shutil.copyfile(path, temporary)
    for document in left_out:
        print(f"left out: {document.name}: {document.left_out}")
    if failed:
        raise SparsitySolverError("; ".join(failed))


def _documents(source: Source, work: Path, grid: str) -> Iterator[Redrawn]:
    """Everything there is to draw, in the order in which it is made: the page shows the tables, audit and claims."""
    results, config = source.results, source.config
    for name in tables(config):
        lacking = _lacking(results, f"cells_{name}.csv", f"{name}.footnotes.json")
        options = () if lacking else ("--cells", work / f"cells_{name}.csv", *_axes_options(results, name))
        yield Redrawn(name, lacking, (*_REPORT, "table", name, *options, "--out", work), (f"{name}[._]*",))
    lacking = _lacking(results, f"{settings.NAME}.strategies.json")
    command = (*_REPORT, "settings", *settings.strategies_shown(results), "--out", work)
    yield Redrawn(settings.NAME, lacking, command, (f"{settings.NAME}[._]*",))
    yield Redrawn("audit.csv", "", (*_CLI, "audit", config / "paper", "--out", work / "audit.csv"), ("audit.csv",))
    for what, name, *needs in (("claims", "claims.csv", *_OF_CLAIMS), ("paper-tables", "paper_tables.md", "cells.csv")):
        lacking = _lacking(results, *needs) or ("" if grid else "no table names its grid; name it with --grid")
        command = (*_REPORT, what, "--results", work, "--grid", grid, "--out", work / name)
        yield Redrawn(name, lacking, command, (name,))
    for name in sorted(path.stem for path in (config / "figures").glob("*.yaml")):
        yield _figure(name, results, config, work)


def _lacking(folder: Path, *names: str) -> str:
    """Words on the first of some files that is not in a folder; empty where all are."""
    return next((f"no {name}" for name in names if not (folder / name).is_file()), "")


def _axes_options(results: Path, table: str) -> list[str]:
    """For which models and tasks a table was made: the file beside it says so."""
    sidecar = results / f"{table}.footnotes.json"
    axes = read_json(sidecar, "table's footnotes")
    if not {"models", "tasks"} <= axes.keys():
        raise SparsitySolverError(f"{sidecar} does not name the models and tasks of {table}; make it anew.")
    return ["--models", *axes["models"], "--tasks", *axes["tasks"], "--grid", axes.get("grid", "")]


def _figure(name: str, results: Path, config: Path, work: Path) -> Redrawn:
    """A figure is made by its script from the files that its definition lists under ``needs``."""
    script = _SCRIPTS / f"{name}.py"
    kinds = load_figure(name, config).kinds
    lacking = _lacking(script.parent, script.name) or _lacking(results, *(f"{kind}_{name}.csv" for kind in kinds))
    files = tuple(f"{name}.{ending}" for ending in ("png", "pdf", "txt"))
    return Redrawn(name, lacking, (script, "--results", work, "--out", work / name), files, stands_alone=True)


def _run(command: Sequence[str | Path], source: Source, work: Path) -> None:
    """Run Python on a command line, with the configuration of the source.

    Raises:
        SparsitySolverError: it failed, with what it said less the name of the program.
    """
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


def _links(results: Path, work: Path) -> Path:
    """Links to the collected files of a results folder; tables and pages, which are made of them, are left behind."""
    for path in results.iterdir():
        if path.is_file() and path.suffix in _COLLECTED and not path.name.startswith("table"):
            (work / path.name).symlink_to(path.resolve())
    return work


def _compared(path: Path, results: Path) -> str:
    """Whether a document is the one that lies in the results folder."""
    original = results / path.name
    if not original.is_file():
        return ""
    return "  (as before)" if filecmp.cmp(path, original, shallow=False) else "  (differs from the one there)"
