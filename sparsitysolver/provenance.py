"""Where a number comes from: versions, commit, device, and what differs from run to run (no torch at import)."""

import datetime
import functools
import platform
import re
import resource
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from sparsitysolver import ROOT, __version__

_LIBRARIES = (
    *("torch", "transformers", "tokenizers", "numpy", "safetensors", "lm-eval", "stable-baselines3", "gymnasium"),
    *("cma", "optuna"),
)

# Of an address: scheme, user and password, host and path, query.
_SECRETS = re.compile(r"(https?://)(?:\S*@)?([^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE)

# What can change a result; pages such as paper_tables.md are written by runs and say nothing of the code.
_DECIDING = ("sparsitysolver", "baselines", "config", "rules", "Snakefile", "envs")


@functools.cache
def commit() -> str:
    """Commit of the checkout, ``-dirty`` where code or configuration differ from it; ``unknown`` outside git.

    An installed package is in no checkout, though its folder may lie within another project's.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        head, top = git("rev-parse", "HEAD", "--show-toplevel").splitlines()
        if not ROOT.samefile(top):
            return "unknown"
        return f"{head}-dirty" if git("status", "--porcelain", "--untracked-files=no", "--", *_DECIDING) else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def provenance(device: str, threads: int, seeds: dict[str, int]) -> dict[str, Any]:
    """What decides a result besides its inputs: versions, commit, kinds of device and processor, threads, seeds."""
    import torch

    versions = {name: version for name in _LIBRARIES if (version := _version(name))}
    versions |= {"python": platform.python_version(), "sparsitysolver": __version__}
    return {
        "versions": versions,
        "commit": commit(),
        "device": torch.cuda.get_device_name(0) if device.startswith("cuda") else "cpu",
        # Kinds of CPU, and the instructions that torch uses on them, differ in the order of float32 sums.
        "processor": f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": threads,
        "seeds": seeds,
    }


def _version(library: str) -> str | None:
    """Of an installed library; extras may be missing."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Model of the CPU."""
    information = Path("/proc/cpuinfo")
    named = re.search(r"^model name.*?:(.*)", information.read_text() if information.is_file() else "", re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


class Clock:
    """Times one stage; ``record`` gives what belongs under ``run``."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._cpu = time.process_time()

    def record(self, **more: Any) -> dict[str, Any]:
        """Times in seconds, peak memory in bytes, number of GPUs held, host, date and command.

        Device seconds are those of the processor, or on GPUs wall time times the number of GPUs held.
        """
        wall = time.perf_counter() - self._start
        cuda = sys.modules["torch"].cuda if "torch" in sys.modules else None
        gpus = cuda.device_count() if cuda and cuda.is_initialized() else 0
        return {
            "wall_seconds": round(wall, 3),
            "device_seconds": round(wall * gpus or time.process_time() - self._cpu, 3),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "peak_device_memory_bytes": cuda.max_memory_allocated() if cuda and cuda.is_available() else None,
            "gpus": gpus,
            "host": platform.node(),
            "processor": platform.processor() or platform.machine(),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "command": " ".join(map(without_secrets, sys.argv)),  # no option takes secrets, but an address may
            **more,
        }


def without_secrets(text: str) -> str:
    """A text whose addresses have lost user, password, query and fragment."""
    return _SECRETS.sub(r"\1\2", text)
