"""SHA-256 of whole files, each computed once: kept in a cache folder by path, size, times and inode (no torch).

Weights are gigabytes, and every plan and every loading of a model asks what they are. A hash is kept until anything
that the system says of the file differs; then the file is read again, whole: a change in its middle is a change.
"""

import contextlib
import hashlib
import os
import platform
import re
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from sparsitysolver.records.files import file_sha256

_SMALL = 1 << 20  # bytes: reading such a file costs no more than looking its hash up
_CHUNK = 1 << 24
_QUIET = 2_000_000_000  # ns: a file changed later than that may change once more within the same tick of its clock
_PROGRESS_AFTER = 3.0  # seconds
_DIGEST = re.compile(r"[0-9a-f]{64}\s*")


def user_cache() -> Path:
    """Where this project caches: ``SPARSITYSOLVER_CACHE``, else the user's cache folder, else a temporary one.

    The last serves where there is no home, or none that can be written.
    """
    given = os.environ.get("SPARSITYSOLVER_CACHE")
    if given:
        return Path(given)
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - home() may raise
    with contextlib.suppress(OSError):
        if base.is_absolute():  # not "~", of who has no home
            base.mkdir(parents=True, exist_ok=True)
            if os.access(base, os.W_OK):
                return base / "sparsitysolver"
    own = Path(tempfile.gettempdir()) / f"sparsitysolver-{os.getuid()}"
    taken = own.exists() and own.stat().st_uid != os.getuid()  # by another user, who could put anything there
    return own.with_name(f"{own.name}-{os.getpid()}") if taken else own


def cached_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes; of a large file from the cache where nothing about the file has changed."""
    before = path.stat()
    if before.st_size <= _SMALL:
        return file_sha256(path)
    entry = _entry(path, before)
    with contextlib.suppress(OSError):
        text = entry.read_text(encoding="ascii", errors="replace")
        if _DIGEST.fullmatch(text):
            return text.strip()
    digest = _read(path, before.st_size)
    after = path.stat()
    if _entry(path, after) == entry and time.time_ns() - max(after.st_mtime_ns, after.st_ctime_ns) > _QUIET:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing is
            entry.parent.mkdir(parents=True, exist_ok=True)
            temporary = entry.with_name(f"{entry.name}.{os.getpid()}")  # runs side by side never see half of it
            temporary.write_text(digest, encoding="ascii")
            temporary.replace(entry)
    return digest


def _entry(path: Path, found: os.stat_result) -> Path:
    """The cache's file for a file as it is now; the change time cannot be set back, as the modification time can."""
    times = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    about = (platform.node(), str(path.resolve()), found.st_dev, found.st_ino, *times)
    return user_cache() / "hashes" / hashlib.sha256(repr(about).encode()).hexdigest()


def _read(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    bar = tqdm(total=size, unit="B", unit_scale=True, desc=f"hash {path.name}", delay=_PROGRESS_AFTER, leave=False)
    with path.open("rb") as handle, bar:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()
