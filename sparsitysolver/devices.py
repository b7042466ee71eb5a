"""Cores and GPUs of this machine: how many a process may use; and each job its own GPU, by a lock for its life.

Snakemake counts GPUs but does not number them. Nothing here imports torch: jobs are planned without it.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import IO

from sparsitysolver.errors import SparsitySolverError

_POLL_SECONDS = 2.0
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of this control group: microseconds of all cores, and in how many
_held: list[IO[str]] = []  # open handles keep the locks; the system frees them however the process ends


def cores_here() -> int:
    """Cores that this process may use: those it is bound to, no more than the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
    except FileNotFoundError:  # no container, or one of control groups of another kind
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


@functools.cache
def gpus_here() -> int:
    """GPUs that a job of this process may use: those of ``CUDA_VISIBLE_DEVICES`` where it is set, else the machine's.

    0 where torch is its CPU build (``2.13.0+cpu``): it runs on the CPU then, whatever the machine has.
    """
    try:
        devices = [] if metadata.version("torch").endswith("+cpu") else visible_devices()
    except metadata.PackageNotFoundError:
        devices = []
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not devices or given is None:
        return len(devices)
    named = [name.strip() for name in given.split(",")]
    usable = [name in devices or name.startswith(("GPU-", "MIG-")) for name in named]  # CUDA stops at the first unknown
    return usable.index(False) if False in usable else len(usable)


def visible_devices() -> list[str]:
    """Indices of the machine's NVIDIA GPUs, none where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    return listing.stdout.split() if listing.returncode == 0 else []


def claim(count: int, devices: list[str] | None = None, timeout: float | None = None) -> list[str]:
    """Lock ``count`` free GPUs and name them in ``CUDA_VISIBLE_DEVICES``; wait while others hold them.

    Does nothing where ``CUDA_VISIBLE_DEVICES`` is set already (a scheduler gave this job its devices) or there is no
    GPU. Must be called before torch first touches CUDA. More devices than there are, and ``timeout`` seconds gone, are
    errors.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return []
    devices = visible_devices() if devices is None else devices
    if not devices or count == 0:
        return []
    if count > len(devices):
        raise SparsitySolverError(f"{count} GPUs asked for; this machine has {len(devices)}.")
    started = time.monotonic()
    while True:
        taken = _try(count, devices)
        if taken:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
            return taken
        if timeout is not None and time.monotonic() - started > timeout:
            raise SparsitySolverError(f"no {count} of the GPUs {', '.join(devices)} came free in {timeout:g} s.")
        time.sleep(_POLL_SECONDS if timeout is None else min(_POLL_SECONDS, 0.05))


def _try(count: int, devices: list[str]) -> list[str]:
    """Lock ``count`` devices now, or none."""
    folder = Path(os.environ.get("SPARSITYSOLVER_LOCKS", Path(tempfile.gettempdir()) / "sparsitysolver-gpu-locks"))
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777)  # the locks are everybody's on a shared machine
    taken: dict[str, IO[str]] = {}
    for device in devices:
        handle = open(folder / f"gpu-{device}.lock", "a", opener=_everybodys)  # noqa: PTH123, SIM115 - held for life
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            continue
        taken[device] = handle
        if len(taken) == count:
            _held.extend(taken.values())
            return list(taken)
    for handle in taken.values():
        handle.close()
    return []


def _everybodys(path: str, flags: int) -> int:
    """Open a lock file that other users may lock too."""
    descriptor = os.open(path, flags, 0o666)
    if os.fstat(descriptor).st_uid == os.getuid():
        os.fchmod(descriptor, 0o666)
    return descriptor
