"""Artefacts as files: canonical JSON, content keys, atomic writes, records that are checked (no torch)."""

import errno
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparsitysolver.errors import SparsitySolverError

Json = dict[str, Any]

# What a full disk is called by writers that raise errors of their own (safetensors, torch.save).
_FULL_DISK = ("no space left", "i/o error", "failed writing", "unexpected pos")


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


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` that takes its place when the block ends well, and vanishes when it does not."""
    with _temporary(Path(path)) as temporary:
        temporary.touch()
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)


@contextmanager
def atomic_folder(path: str | Path, replace: bool = True) -> Iterator[Path]:
    """Like :func:`atomic_path` for a folder; an older folder of that name is replaced whole.

    Without ``replace`` the name must be free, or an empty folder's, when the block ends: of two writers one stays.
    """
    target = Path(path)
    with _temporary(target) as temporary:
        temporary.mkdir()
        yield temporary
        temporary.chmod(0o755)
        if replace and target.exists():
            shutil.rmtree(target)
        try:
            temporary.replace(target)  # the system refuses the name of a file or of a folder with content
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise SparsitySolverError(
                f"{target} exists by now: something else has written it meanwhile, and it is left as it is. Give "
                "another name, or remove it."
            ) from error


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A free name beside ``target``; what is left there is removed, and a failed write is an error that names it."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except SparsitySolverError:
        raise
    except OSError as error:
        raise SparsitySolverError(f"cannot write {target}: {error.strerror or error}.") from error
    except Exception as error:
        if not any(mark in str(error).lower() for mark in _FULL_DISK):
            raise
        raise SparsitySolverError(f"cannot write {target}: {str(error).splitlines()[0]}; is the disk full?") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        elif temporary.exists():
            temporary.unlink()


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
    from sparsitysolver.config.contract import checked  # most commands write and read no record
    from sparsitysolver.records.contracts import CONTRACTS

    try:
        checked(CONTRACTS[kind], value)
    except SparsitySolverError as error:
        raise SparsitySolverError(f"{where} is not a valid {kind}: {error}") from error


def read_record(path: str | Path, kind: str) -> Json:
    """Read and check a record."""
    value = read_json(path, kind)
    validate(value, kind, path)
    return value


def write_record(path: str | Path, value: Json, kind: str) -> None:
    """Check and write a record; the file holds what the dictionary does."""
    validate(value, kind, path)
    write_json(path, value)


def identity(record: Mapping[str, Any]) -> Json:
    """A record without ``run``: what must be equal when the same thing is made twice."""
    return {key: value for key, value in record.items() if key != "run"}
