"""The command line at the machine's limits: memory, disk, an interrupt."""

import contextlib
import errno
import resource
import shutil
import subprocess

import pytest
import torch
from commands import EVALUATE, MODEL, PRUNE, SEARCH, failure

from sparsitysolver.cli import main

pytestmark = pytest.mark.filterwarnings("ignore")


def failing(error, name="common.losses_of"):
    """What puts a failure in the place of a function that ``evaluate`` calls."""

    def fail(*_):
        raise error

    return f"sparsitysolver.stages.evaluate.{name}", fail


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nMore text."),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_out_of_memory_says_what_to_do(error, place, capsys, monkeypatch):
    monkeypatch.setattr(*failing(error))
    message = failure(capsys, *EVALUATE, "--out", "cell.json")
    assert "out of memory in stage 'evaluate'" in message and "--seqlen" in message
    assert not (place / "cell.json").exists()


def test_other_errors_are_not_hidden(monkeypatch):
    monkeypatch.setattr(*failing(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        main(list(EVALUATE))


def test_an_interrupt_is_status_130(monkeypatch, capsys):
    monkeypatch.setattr(*failing(KeyboardInterrupt()))
    assert main(list(EVALUATE)) == 130
    assert "interrupted" in capsys.readouterr().err


@contextlib.contextmanager
def files_no_larger_than(size):
    """Every longer write fails, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize(
    ("size", "command"),
    [
        (3000, (*PRUNE, "--method", "uniform")),
        (20_000, (*PRUNE, "--method", "uniform")),
        (1000, (*EVALUATE, "--out", "out")),
        (100, ("sample", MODEL, "--nsamples", "5", "--seqlen", "16", "--calibration", "wikitext2", "--out", "out")),
        (2000, ("calibrate", MODEL, "--calibration", "ids.npy", "--out", "out")),
        (3000, (*SEARCH, "--episodes", "15")),
    ],
    ids=["prune's config", "prune's weights", "evaluate", "sample", "calibrate", "search"],
)
def test_a_write_cut_short_leaves_nothing(size, command, place, capsys):
    before = {path.name for path in place.iterdir()}
    with files_no_larger_than(size):
        assert main(list(command)) == 2
    assert "cannot write" in capsys.readouterr().err.splitlines()[-1]
    assert {path.name for path in place.iterdir()} - {"out.curve.csv"} == before


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("this user cannot mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk, capsys):
    (small_disk / "ballast").write_bytes(bytes(40_000))
    error = failure(capsys, *PRUNE, "--method", "uniform", "--out", small_disk / "out")
    assert f"cannot write {small_disk}/" in error
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_read_only_place(monkeypatch, capsys):
    error = OSError(errno.EROFS, "Read-only file system", "/sealed/out")
    monkeypatch.setattr(*failing(error, "write_record"))
    assert "cannot write /sealed/out: Read-only file system" in failure(capsys, *EVALUATE, "--out", "out")
