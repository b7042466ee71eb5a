"""A bundle: one zip file of results, provenance and configuration, with a manifest that lists every member's SHA-256.

The same files give the same bytes: members are sorted, dated 1980 and written with the same rights.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json, atomic_path, validate

MANIFEST = "manifest.json"
_FORMAT = 1
_FOLDERS = ("results", "config")  # what members lie under, as in the repository
_DATE = (1980, 1, 1, 0, 0, 0)
_RIGHTS = 0o100644 << 16
_UNIX = 3
_LEVEL = 9
_AGAIN = "it was damaged or changed; copy the bundle again, or export it anew with 'sparsitysolver export'."


def write_bundle(path: Path, members: Mapping[str, Path], about: Json) -> None:
    """Write a bundle of files by their names in it, ``results/…`` or ``config/…``, whole or not at all.

    ``about`` is what the manifest says besides the members; see ``config/schemas/bundle.schema.json``.
    """
    files = {}
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(members):
            data = members[name].read_bytes()
            files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            _add(archive, name, data)
        manifest = about | {"format": _FORMAT, "files": files}
        validate(manifest, "bundle", path)
        _add(archive, MANIFEST, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system, info.external_attr, info.compress_type = _UNIX, _RIGHTS, zipfile.ZIP_DEFLATED
    archive.writestr(info, data, compresslevel=_LEVEL)


def unpack_bundle(path: Path, folder: Path) -> Json:
    """Unpack a bundle into a folder and return its manifest; nothing is written outside the folder.

    Raises:
        SparsitySolverError: no such file, no zip or a damaged one, no bundle, a member that is missing, unlisted,
            named outside the bundle, or not what the manifest says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _unpack(archive, path, folder)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no bundle at {path}; make one with 'sparsitysolver export {path}'.") from error
    except zipfile.BadZipFile as error:
        raise SparsitySolverError(f"{path} is no zip file, or {_AGAIN} ({error})") from error
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        # Cut off or overwritten inside a member, another compression, or encrypted.
        raise SparsitySolverError(f"{path} cannot be read: {_AGAIN} ({error})") from error


def _unpack(archive: zipfile.ZipFile, path: Path, folder: Path) -> Json:
    manifest = _manifest(archive, path)
    for name, listed in sorted(manifest["files"].items()):
        data = archive.read(name) if archive.getinfo(name).file_size == listed["bytes"] else b""
        if hashlib.sha256(data).hexdigest() != listed["sha256"]:
            raise SparsitySolverError(f"{path}: {name} is not what the manifest says: {_AGAIN}")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return manifest


def _manifest(archive: zipfile.ZipFile, path: Path) -> Json:
    """The manifest, valid, with names that are safe, there and listed once."""
    names = archive.namelist()
    if MANIFEST not in names:
        raise SparsitySolverError(
            f"{path} is no bundle of SparsitySolver: it has no {MANIFEST}. Make one with 'sparsitysolver export'."
        )
    try:
        manifest = json.loads(archive.read(MANIFEST))
    except json.JSONDecodeError as error:
        raise SparsitySolverError(f"{path}: {MANIFEST} is broken: {_AGAIN} ({error})") from error
    validate(manifest, "bundle", f"{path}: {MANIFEST}")
    listed = manifest["files"]
    for name in [*names, *listed]:
        if name != MANIFEST and not _is_inside(name):
            raise SparsitySolverError(f"{path}: member '{name}' does not lie under {' or '.join(_FOLDERS)}/; refused.")
    for name in listed:
        if names.count(name) != 1:
            raise SparsitySolverError(f"{path}: {name} is listed and stands {names.count(name)} times in it: {_AGAIN}")
    unlisted = sorted(set(names) - set(listed) - {MANIFEST})
    if unlisted:
        raise SparsitySolverError(f"{path}: {unlisted[0]} is not listed in its manifest: {_AGAIN}")
    return manifest


def _is_inside(name: str) -> bool:
    """Whether a member's name is a plain relative path under one of the bundle's folders, on any system."""
    path = PurePosixPath(name)
    plain = str(path) == name and not any(mark in name for mark in ("\\", ":"))
    return plain and len(path.parts) > 1 and path.parts[0] in _FOLDERS and ".." not in path.parts
