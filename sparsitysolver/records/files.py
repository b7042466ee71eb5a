"""Artefacts as files: canonical JSON, content keys, atomic writes, records that are checked (no torch)."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparsitysolver.errors import SparsitySolverError

Json = dict[str, Any]


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value that content keys are computed from."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def content_key(value: Any, length: int = 16) -> str:
    """First ``length`` hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


# What a full disk is called by writers that raise errors of their own (safetensors, torch.save).
_FULL_DISK = ("no space left", "i/o error", "failed writing", "unexpected pos")


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn what the system or a library says of a failed write into an error that names ``target``."""
    try:
        yield
    except SparsitySolverError:
        raise
    except OSError as error:
        raise SparsitySolverError(f"cannot write {target}: {error.strerror or error}.") from error
    except Exception as error:
        if not any(mark in str(error).lower() for mark in _FULL_DISK):
            raise
        raise SparsitySolverError(f"cannot write {target}: {str(error).splitlines()[0]}; is the disk full?") from error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` that takes its place when the block ends well, and vanishes when it does not."""
    target = Path(path)
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path, replace: bool = True) -> Iterator[Path]:
    """Like :func:`atomic_path` for a folder; an older folder of that name is replaced whole.

    Without ``replace`` the name must be free, or an empty folder's, when the block ends: of two writers one stays.
    """
    target = Path(path)
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            yield temporary
            temporary.chmod(0o755)
            if replace and target.exists():
                shutil.rmtree(target)
            _take_name(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _take_name(temporary: Path, target: Path) -> None:
    """Rename a folder; the system itself refuses a name that a file or a folder with content has."""
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise SparsitySolverError(
            f"{target} exists by now: something else has written it meanwhile, and it is left as it is. Give another "
            "name, or remove it."
        ) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file (indented, sorted keys) whole or not at all."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def read_json(path: str | Path, kind: str) -> Json:
    """Read a JSON object; a missing or broken file is a clear error that names the ``kind`` of artefact."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no {kind} file at {path}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is not a {kind}: broken JSON ({error}).") from error
    if not isinstance(value, dict):
        raise SparsitySolverError(f"{path} is not a {kind}: expected a JSON object, found {type(value).__name__}.")
    return value


def validate(value: Mapping[str, Any], kind: str, where: str | Path) -> None:
    """Check a record against its contract; the error names the file and the field."""
    from sparsitysolver.records.contracts import problem  # most commands write and read no record

    what = problem(value, kind)
    if what is not None:
        raise SparsitySolverError(f"{where} is not a valid {kind}: {what}.")


def read_record(path: str | Path, kind: str) -> Json:
    """Read and validate a record of a kind that :mod:`~sparsitysolver.records.contracts` knows."""
    value = read_json(path, kind)
    validate(value, kind, path)
    return value


def write_record(path: str | Path, value: Json, kind: str) -> None:
    """Validate and write a record; the file holds what the dictionary does."""
    validate(value, kind, path)
    write_json(path, value)


def identity(record: Mapping[str, Any]) -> Json:
    """A record without ``run``: what must be equal when the same thing is made twice."""
    return {key: value for key, value in record.items() if key != "run"}
