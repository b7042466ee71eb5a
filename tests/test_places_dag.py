"""Names and places as odd as they come: a model's folder, assets, results elsewhere, temporary files, no home."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tiny import tiny_folder, tiny_texts

from sparsitysolver.config.settings import DEFAULT_TASKS
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.records.files import read_record

ROOT = Path(__file__).resolve().parents[1]
NAMES = (
    *(
        "opt+v2",
        "opt(ft)",
        "a[1]",
        "x.y",
        "50%",
        "$HOME",
        "`id`",
        "a&b;c",
        'say "hi"',
        "it's",
        "a\\b",
        "ü日本",
        "~x",
        "#x",
    ),
    *("a|b", "a*b?", "a=b", "^a$", "o+p(t)[1] x.y"),
)
ALL_AT_ONCE = 'it\'s "a" $HOME;`id`&b|c*d?[e]^f\\g#h,i~j%k=l (ü) x.y+z'
SETTINGS = ("grid=local", "episodes=15", "reward_windows=2", "task_episodes=15")


def snakemake(folder: Path, assets: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Snakemake on this project's Snakefile, with its results in ``folder``, called from elsewhere."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SPARSITYSOLVER", "SNAKEMAKE"))}
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return subprocess.run(
        [*command, "--cores", "2", *arguments, "--config", f"assets={assets}", *SETTINGS],
        cwd=folder.parent,
        env={name: value for name, value in (clean | {"PYTHONPATH": str(ROOT)} | environment).items() if value},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A folder for results and an assets folder, without models yet, with strays beside everything that is read."""
    results, assets = tmp_path / "my 'results' [1] ü", tmp_path / 'my "assets" {1} $HOME;ö'
    results.mkdir()
    tiny_texts(assets)
    for stray in (assets / "models" / ".git", assets / "models" / "empty", assets / "wikitext2" / "old"):
        stray.mkdir(parents=True)
    (assets / "models" / "list.txt").write_text("stray")
    (assets / "wikitext2" / "notes.md").write_text("stray")
    return results, assets


def add_model(assets: Path, name: str) -> None:
    shutil.copytree(tiny_folder("opt"), assets / "models" / name)


def seal(folder: Path) -> dict[str, int]:
    """Take the right to write from all that is in a folder; their times of change."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(stat.S_IRUSR | (stat.S_IXUSR if path.is_dir() else 0))
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_models_of_every_name_are_planned(places: tuple[Path, Path]) -> None:
    results, assets = places
    for name in NAMES:
        add_model(assets, name)
    done = snakemake(results, assets, "-n", "-p", "results/table2.csv")
    assert done.returncode == 0, done.stderr[-2000:]
    plan = done.stdout + done.stderr
    assert {*re.findall(r"wildcards: model=(.*), method=dense, ", plan)} == set(NAMES)


def test_everything_is_planned_elsewhere(places: tuple[Path, Path]) -> None:
    """Relative paths lead to the project's files, also in the call of Snakemake that writes the report."""
    results, assets = places
    add_model(assets, "it's ü")
    for name in ("c4/x.jsonl", *(f"tasks/{task}.jsonl" for task in DEFAULT_TASKS)):
        (assets / name).parent.mkdir(exist_ok=True)
        (assets / name).write_text('{"text": "w3"}\n')
    targets = ("results/report.html", "results/regression.csv", "results/transfer.csv", "figures/arena.png")
    done = snakemake(results, assets, "-n", "-p", *targets)
    assert done.returncode == 0, done.stdout[-2000:]
    (command,) = re.findall(r"Shell command: \( (snakemake .* --report .*) \) >", done.stdout + done.stderr)
    words = shlex.split(command)
    assert (results / words[words.index("-s") + 1]).resolve() == ROOT / "Snakefile"
    assert not (results / "config").exists()


@pytest.mark.parametrize("name", ["a{b}", "a\nb", "-v", " x", "x\t"])
def test_names_that_no_path_or_command_can_hold_are_told_when_jobs_are_planned(
    places: tuple[Path, Path], name: str
) -> None:
    add_model(places[1], name)
    with pytest.raises(
        SparsitySolverError, match="model folder .* rename it, or leave it out with --config models=a,b"
    ):
        Grid({"grid": "local", "assets": str(places[1])})


@pytest.mark.dag
def test_cells_and_documents_are_made_under_such_names(places: tuple[Path, Path]) -> None:
    results, assets = places
    add_model(assets, ALL_AT_ONCE)
    temporary = results.parent / ("deep" * 30)
    temporary.mkdir()
    before, stamps = seal(assets), sorted((ROOT / "results").rglob("*"))
    config = {"grid": "local", "assets": str(assets), "episodes": 15, "reward_windows": 2, "task_episodes": 15}
    artefacts = Artefacts(Grid(config))
    cells = [Cell(ALL_AT_ONCE, name, "0.2", "0", "wikitext2") for name in ("flap", "sparsitysolver")]
    wanted = [artefacts.evaluate(cell).path for cell in cells]
    done = snakemake(results, assets, *wanted, "results/audit.csv", TMPDIR=str(temporary), HOME="")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for path in wanted:
        assert read_record(results / path, "cell")["model"]["name"] == ALL_AT_ONCE
    assert len(pd.read_csv(results / "results" / "audit.csv")) > 100
    assert {str(path): path.stat().st_mtime_ns for path in assets.rglob("*")} == before
    assert sorted((ROOT / "results").rglob("*")) == stamps  # all that was made lies in the folder given
