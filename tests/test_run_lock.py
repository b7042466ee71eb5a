"""Locks of a killed Snakemake are cleared by the next run; those of a living one, or of another host, are not."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sparsitysolver import run_lock

ROOT = Path(__file__).resolve().parents[1]
HOLD = "import sys; from sparsitysolver import run_lock; run_lock.hold(); print('held', flush=True); sys.stdin.read()"
WORKFLOW = """
from sparsitysolver import run_lock
if workflow.is_main_process:
    run_lock.hold()
rule one:
    output: "one.txt"
    shell: "touch started; sleep {config[seconds]}; touch {output}"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with locks of Snakemake's and a lock folder of this test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_lock, "_held", [])
    leave_lock(tmp_path)
    yield tmp_path
    release()


def leave_lock(folder):
    (folder / ".snakemake" / "locks").mkdir(parents=True, exist_ok=True)
    (folder / ".snakemake" / "locks" / "0.output.lock").write_text("results/table2.csv\n")


def release():
    while run_lock._held:
        run_lock._held.pop().close()


def start(folder):
    """A process that holds the lock until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def locked(folder):
    return [path.name for path in (folder / ".snakemake" / "locks").iterdir()]


def test_locks_of_a_killed_process_are_cleared(folder, capsys):
    (folder / ".snakemake" / "locks" / "0.output.lock").unlink()
    process = start(folder)
    leave_lock(folder)
    process.kill()
    process.communicate()
    run_lock.hold()
    assert locked(folder) == []
    assert f"process {process.pid} ended without clearing what it had locked here" in capsys.readouterr().err
    for _ in range(2):  # nothing is said where nothing is locked
        release()
        run_lock.hold()
    assert capsys.readouterr().err == ""
    assert (folder / ".snakemake" / "sparsitysolver.lock").read_text() == f"{os.getpid()} {platform.node()}\n"


def test_locks_stay_while_any_process_of_the_folder_lives(folder, capsys):
    """Also where the one that was first is gone, and the one that is left came second."""
    first, second = start(folder), start(folder)
    for living in ([first, second], [second]):
        run_lock.hold()
        assert locked(folder) == ["0.output.lock"]
        said = capsys.readouterr().err
        assert all(f"process {process.pid} on {platform.node()}" in said for process in living)
        release()
        first.communicate()
    assert f"process {first.pid} on" not in said
    second.communicate()
    run_lock.hold()
    assert run_lock._held


def test_locks_of_another_folder_are_not_this_ones(folder, tmp_path_factory):
    other = start(tmp_path_factory.mktemp("other"))
    (folder / ".snakemake" / "sparsitysolver.lock").write_text(f"1234567 {platform.node()}\n")
    run_lock.hold()
    assert locked(folder) == []
    other.communicate()


@pytest.mark.parametrize("known", ["", "17 elsewhere\n", f"17 elsewhere\n18 {platform.node()}\n"])
def test_locks_of_who_knows_whom_stay_however_often_one_looks(folder, capsys, known):
    (folder / ".snakemake" / "sparsitysolver.lock").write_text(known)
    for _ in range(2):
        run_lock.hold()
        release()
        assert locked(folder) == ["0.output.lock"]
        said = f"locked by a run on {'elsewhere' if known else 'an unknown host'}; if it is gone, clear them with"
        assert f"{said} snakemake --unlock." in capsys.readouterr().err


def snakemake(folder, target, seconds):
    command = [sys.executable, "-m", "snakemake", "-s", str(folder / "Snakefile"), "--cores", "1", target]
    return subprocess.Popen(
        [*command, "--rerun-incomplete", "--config", f"seconds={seconds}"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_killed_snakemake_is_gone_on_from_and_a_living_one_is_not_disturbed(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    first = snakemake(tmp_path, "one.txt", 60)
    while not (tmp_path / "started").exists():
        assert first.poll() is None
    same = snakemake(tmp_path, "one.txt", 0)
    said = same.communicate()[0]
    assert same.returncode == 1 and "cannot be locked" in said
    assert f"process {first.pid} on {platform.node()} is at work in this folder" in said
    assert first.poll() is None
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert list((tmp_path / ".snakemake" / "locks").iterdir())
    again = snakemake(tmp_path, "one.txt", 0)
    said = again.communicate()[0]
    assert again.returncode == 0, said
    assert "ended without clearing what it had locked here; that is free again" in said
    assert (tmp_path / "one.txt").is_file()
