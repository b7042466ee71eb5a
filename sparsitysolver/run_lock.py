"""Locks that a killed Snakemake left behind: known by a lock that no process can leave behind (no torch).

Snakemake writes the files that it works on into ``.snakemake/locks`` and takes them away at its end; after a kill or a
power loss they stay, name no process, and stop every later run. So each run of this project's Snakefile holds a second
lock beside them, one of the system's, which ends with its process however that ends. A run that can have it for itself
is alone: what Snakemake's locks say then is of processes that are gone.
"""

import errno
import fcntl
import os
import platform
import sys
from pathlib import Path
from typing import IO

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of file systems that have none
_held: list[IO[str]] = []  # open handles keep the locks


def hold(folder: Path = Path(".snakemake")) -> None:
    """Clear what processes that are gone left locked in ``folder``; hold the system's lock for this process's life.

    Where other runs are at work in the folder, or were on hosts whose processes cannot be seen from here, nothing is
    cleared: Snakemake decides whether their files are among those of this run. Standard error says what was done.
    """
    folder.mkdir(exist_ok=True)
    handle = (folder / "sparsitysolver.lock").open("a+")
    try:
        alone = _alone(handle)
        runs = _runs(handle)
        left = sorted((folder / "locks").glob("*.lock"))
        if not alone:
            _name_others(runs)
        elif _cleared(left, runs):
            handle.truncate(0)
        elif not runs:
            handle.write("? an unknown host\n")  # by a run that this file never knew of
        handle.write(f"{os.getpid()} {platform.node()}\n")
        handle.flush()
        fcntl.flock(handle, fcntl.LOCK_SH)  # waits for a run that looks whether it is alone: a moment
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        handle.close()
        return
    _held.append(handle)


def _alone(handle: IO[str]) -> bool:
    """Whether no other run holds the lock; this one has it for itself then."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cleared(left: list[Path], runs: list[tuple[str, str]]) -> bool:
    """Take Snakemake's locks away if all runs that may have left them were on this host; whether none are left."""
    elsewhere = sorted({host for _, host in runs or [("?", "an unknown host")] if host != platform.node()})
    if left and elsewhere:
        _say(f"files here are locked by a run on {elsewhere[0]}; if it is gone, clear them with snakemake --unlock.")
        return False
    for path in left:
        path.unlink()
    if left:
        _say(f"process {runs[-1][0]} ended without clearing what it had locked here; that is free again.")
    return True


def _name_others(runs: list[tuple[str, str]]) -> None:
    """Say which runs this one must not disturb."""
    there = [(pid, host) for pid, host in runs if host != platform.node() or Path("/proc", pid).is_dir()]
    names = ", ".join(f"process {pid} on {host}" for pid, host in there) or "another run"
    _say(f"{names} is at work in this folder; what it makes stays locked until its end.")


def _runs(handle: IO[str]) -> list[tuple[str, str]]:
    """Process id and host of every run since one was last alone."""
    handle.seek(0)
    return [(pid, host) for pid, _, host in (line.partition(" ") for line in handle.read().splitlines())]


def _say(sentence: str) -> None:
    print(f"snakemake: note: {sentence}", file=sys.stderr)
