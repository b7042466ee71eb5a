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
_UNKNOWN = ("?", "an unknown host")  # a run that the lock's file never knew of
_held: list[IO[str]] = []  # open handles keep the locks


def hold(folder: Path = Path(".snakemake")) -> None:
    """Clear what processes that are gone left locked in ``folder``; hold the system's lock for this process's life.

    Where other runs are at work in the folder, or were on hosts whose processes cannot be seen from here, nothing is
    cleared: Snakemake decides whether their files are among those of this run. Standard error says what was done.
    """
    folder.mkdir(exist_ok=True)
    handle = (folder / "sparsitysolver.lock").open("a+")
    try:
        _settle(handle, sorted((folder / "locks").glob("*.lock")))
        handle.write(f"{os.getpid()} {platform.node()}\n")
        handle.flush()
        fcntl.flock(handle, fcntl.LOCK_SH)  # waits for a run that looks whether it is alone: a moment
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        handle.close()
        return
    _held.append(handle)


def _settle(handle: IO[str], left: list[Path]) -> None:
    """Take the locks ``left`` by Snakemake away if this run is alone and all that may have left them were on this host.

    The lock's file names process and host of every run since one was last alone.
    """
    here = platform.node()
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = True
    except BlockingIOError:
        alone = False
    handle.seek(0)
    runs = [line.partition(" ")[::2] for line in handle.read().splitlines()]
    elsewhere = sorted({host for _, host in runs or [_UNKNOWN] if host != here})
    if not alone:
        there = [(pid, host) for pid, host in runs if host != here or Path("/proc", pid).is_dir()]
        names = ", ".join(f"process {pid} on {host}" for pid, host in there) or "another run"
        _say(f"{names} is at work in this folder; what it makes stays locked until its end.")
    elif left and elsewhere:
        _say(f"files here are locked by a run on {elsewhere[0]}; if it is gone, clear them with snakemake --unlock.")
        if not runs:
            handle.write(f"{' '.join(_UNKNOWN)}\n")
    else:
        for path in left:
            path.unlink()
        if left:
            _say(f"process {runs[-1][0]} ended without clearing what it had locked here; that is free again.")
        handle.truncate(0)


def _say(sentence: str) -> None:
    print(f"snakemake: note: {sentence}", file=sys.stderr)
