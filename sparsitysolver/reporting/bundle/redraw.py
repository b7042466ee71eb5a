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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sparsitysolver import CONFIG, CONFIG_VARIABLE, ROOT
from sparsitysolver.config.figures import load_figure
from sparsitysolver.errors import EXIT_USER_ERROR, SparsitySolverError
from sparsitysolver.provenance import commit
from sparsitysolver.records.files import atomic_path, read_json
from sparsitysolver.reporting.bundle.archive import unpack_bundle
from sparsitysolver.reporting.tables import settings as settings_table
from sparsitysolver.reporting.tables.files import grid_of
from sparsitysolver.reporting.tables.settings import strategies_shown

_COMMAND = ("-m", "sparsitysolver.cli")
_REPORT = (*_COMMAND, "report")
_PAGE = "paper_tables.md"
_OF_CLAIMS = tuple(f"{kind}.csv" for kind in ("cells", "curves", "strategies", "inference", "reconstruction"))
_COLLECTED = (".csv", ".npz", ".json")
_SCRIPTS = ROOT / "figures"


@dataclass
class Redrawing:
    """One run: where it reads, where it works, what it made and left out.

    Attributes:
        results: the results folder, as it was left or unpacked.
        config: the configuration it was made with.
        work: a folder of links to the collected files, into which tables and figures are written.
        grid: the grid of the page; empty where it is not known.
        source: what messages name in place of the working folder.
        other_code: said after errors where a bundle was exported by other code than this; else empty.
        left_out: documents that are not made, with the reason.
        failed: figures whose files are there and cannot be drawn, with what was said.
    """

    results: Path
    config: Path
    work: Path
    grid: str
    source: str
    other_code: str
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def lacks(self, name: str, *files: Path) -> bool:
        """Whether a document cannot be made because a file is not there, which is then noted as the reason."""
        absent = [file.name for file in files if not file.is_file()]
        if absent:
            self.left_out[name] = f"no {absent[0]}"
        return bool(absent)

    def run(self, *command: str) -> None:
        """Run Python on a command line.

        Raises:
            SparsitySolverError: it failed, with what it said less the name of the program.
        """
        environment = os.environ | {CONFIG_VARIABLE: str(self.config), "MPLBACKEND": "Agg"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in (0, EXIT_USER_ERROR):
            print(done.stderr, file=sys.stderr)
            raise SparsitySolverError(f"'{' '.join(command)}' failed, as it says above.")
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1]
            said = said.partition("error: ")[2].replace(str(self.work), self.source) or said
            raise SparsitySolverError(f"{said}{self.other_code}")


def redraw_command(source: Path, out: Path, grid: str = "") -> None:
    """``sparsitysolver report redraw``: write tables, pages and figures into a folder.

    Tables and pages belong together, and one that is broken means that nothing is written; figures stand alone.

    Args:
        source: a results folder, or a bundle.
        out: the folder to write into.
        grid: the grid that the page names; the one kept beside the tables by default.

    Raises:
        SparsitySolverError: nothing to draw from, a broken bundle, or broken results; figures that fail are named when
            everything else is written. What is merely absent is left out, with the reason.
    """
    with _opened(source) as (results, config, other_code), tempfile.TemporaryDirectory() as work:
        linked = _links(results, Path(work))
        run = Redrawing(results, config, linked, grid or grid_of(results), str(source), other_code)
        made = [*_tables(run), *_pages(run), *_figures(run)]
        for path in made:
            print(f"{out / path.name}{_compared(path, results)}")
            with atomic_path(out / path.name) as temporary:
                shutil.copyfile(path, temporary)
    for name, reason in run.left_out.items():
        print(f"left out: {name}: {reason}")
    if run.failed:
        raise SparsitySolverError("; ".join(f"{name} cannot be drawn: {said}" for name, said in run.failed.items()))


@contextmanager
def _opened(source: Path) -> Iterator[tuple[Path, Path, str]]:
    """The results folder and the configuration of a source, and a remark on bundles of other code."""
    if source.is_dir():
        if not any(source.glob("cells*.csv")):
            raise SparsitySolverError(
                f"{source} holds no collected cells (cells*.csv) to draw from; make a table first, or name a bundle: "
                "make figures RESULTS=BUNDLE.zip."
            )
        yield source, CONFIG, ""
        return
    with tempfile.TemporaryDirectory() as folder:
        manifest = unpack_bundle(source, Path(folder))
        commits = ", ".join(manifest["run"]["commits"])
        print(f"{source}: grid {manifest['grid'] or 'not named'}; cells of commit {commits}")
        by, here = manifest["commit"], commit()
        other = "" if by == here else f" The bundle was exported at commit {by}, this is {here}: check that one out."
        yield Path(folder) / "results", Path(folder) / "config", other


def _links(results: Path, work: Path) -> Path:
    """Links to the collected files of a results folder; tables and pages, which are made of them, are left behind."""
    for path in results.iterdir():
        if path.is_file() and path.suffix in _COLLECTED and not path.name.startswith("table"):
            (work / path.name).symlink_to(path.resolve())
    return work


def _tables(run: Redrawing) -> list[Path]:
    """Make every table whose cells are there; the file beside it says for which models and tasks."""
    for name in sorted(path.stem for path in (run.config / "tables").glob("*.yaml")):
        cells, sidecar = run.work / f"cells_{name}.csv", run.results / f"{name}.footnotes.json"
        if not run.lacks(name, cells, sidecar):
            axes = read_json(sidecar, "table's footnotes")
            if not {"models", "tasks"} <= axes.keys():
                raise SparsitySolverError(f"{sidecar} does not name the models and tasks of {name}; make it anew.")
            options = ["--models", *axes["models"], "--tasks", *axes["tasks"], "--grid", axes.get("grid", "")]
            run.run(*_REPORT, "table", name, "--cells", str(cells), *options, "--out", str(run.work))
    strategies = [str(path) for path in strategies_shown(run.results)]
    if strategies:
        run.run(*_REPORT, "settings", *strategies, "--out", str(run.work))
    else:
        run.left_out[settings_table.NAME] = f"no {settings_table.NAME}.strategies.json"
    return sorted(run.work.glob("table*"))


def _pages(run: Redrawing) -> list[Path]:
    """Make the audit, which reads published values alone, the claims, and the page of published beside measured."""
    audit, claims, page = (run.work / name for name in ("audit.csv", "claims.csv", _PAGE))
    run.run(*_COMMAND, "audit", str(run.config / "paper"), "--out", str(audit))
    for out, command, needed in ((claims, "claims", _OF_CLAIMS), (page, "paper-tables", ("cells.csv",))):
        if not run.lacks(out.name, *(run.work / name for name in needed)):
            if run.grid:
                run.run(*_REPORT, command, "--results", str(run.work), "--grid", run.grid, "--out", str(out))
            else:
                run.left_out[out.name] = "no table names its grid; name it with --grid"
    return [path for path in (audit, claims, page) if path.is_file() and path.name not in run.left_out]


def _figures(run: Redrawing) -> list[Path]:
    """Draw every figure whose files are there: its definition lists them under ``needs``."""
    made = []
    for definition in sorted((run.config / "figures").glob("*.yaml")):
        name, script = definition.stem, _SCRIPTS / f"{definition.stem}.py"
        kinds = load_figure(name, run.config).kinds
        if not run.lacks(name, script, *(run.work / f"{kind}_{name}.csv" for kind in kinds)):
            try:
                run.run(str(script), "--results", str(run.work), "--out", str(run.work / name))
                made += [run.work / f"{name}{ending}" for ending in (".png", ".pdf", ".txt")]
            except SparsitySolverError as error:
                run.failed[name] = str(error)
    return made


def _compared(path: Path, results: Path) -> str:
    """Whether a document is the one that lies in the results folder."""
    original = results / path.name
    if not original.is_file():
        return ""
    return "  (as before)" if filecmp.cmp(path, original, shallow=False) else "  (differs from the one there)"
