"""Hashes of whole files, each computed once, and never a stale or broken one."""

import hashlib
import os
import threading

import pytest

from sparsitysolver import file_hashes
from sparsitysolver.file_hashes import cached_sha256, user_cache

SIZE = 3 << 20


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file whose hash is kept: as if it had been changed long ago."""
    monkeypatch.setenv("SPARSITYSOLVER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(file_hashes, "_QUIET", 0)
    path = tmp_path / "weights"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that were read whole, in order."""
    read, names = file_hashes._read, []
    monkeypatch.setattr(file_hashes, "_read", lambda path, size: names.append(path.name) or read(path, size))
    return names


def expected(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entries():
    return list((user_cache() / "hashes").iterdir())


def test_a_file_is_read_once_on_every_machine_by_whatever_link(large, reads, monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(large)
    assert cached_sha256(large) == cached_sha256(large) == cached_sha256(tmp_path / "link") == expected(large)
    assert reads == ["weights"]
    monkeypatch.setattr(file_hashes.platform, "node", lambda: "another")
    assert cached_sha256(large) == expected(large) and len(reads) == 2
    monkeypatch.setattr(file_hashes, "_QUIET", 10**12)  # as if the file had been changed just now
    monkeypatch.setattr(file_hashes.platform, "node", lambda: "a third")
    assert cached_sha256(large) == cached_sha256(large) and len(reads) == 4


def test_a_change_that_hides_its_time_is_seen(large):
    """Same size, same place, modification time set back: the change time cannot be."""
    before, found = cached_sha256(large), large.stat()
    with large.open("r+b") as handle:
        handle.seek(SIZE // 2)
        handle.write(b"changed")
    os.utime(large, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert large.stat().st_mtime_ns == found.st_mtime_ns
    assert cached_sha256(large) == expected(large) != before


@pytest.mark.parametrize("content", [b"", b"not a hash", b"\xff\xfe", b"0" * 63, b"0" * 65])
def test_a_corrupt_entry_is_made_anew(content, large):
    right = cached_sha256(large)
    (entry,) = entries()
    entry.write_bytes(content)
    assert cached_sha256(large) == right
    assert entry.read_text() == right


def test_a_cache_that_cannot_be_written_is_done_without(large, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPARSITYSOLVER_CACHE", str(tmp_path / "file"))
    assert cached_sha256(large) == cached_sha256(large) == expected(large)


def test_runs_at_once_never_see_half_an_entry(large):
    wrong, right = [], expected(large)

    def ask():
        for _ in range(20):
            for entry in entries() if (user_cache() / "hashes").is_dir() else []:
                entry.unlink(missing_ok=True)
            wrong.extend([] if cached_sha256(large) == right else ["wrong"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(entry.read_text() == right for entry in entries())


@pytest.mark.parametrize("home", ["/dev/null", "/proc/none", ""])
def test_without_a_home_that_can_be_written_the_cache_is_a_temporary_folder(monkeypatch, tmp_path, home):
    """Also for a user whom the system knows no home of, and for root, who may write wherever anything can be."""
    monkeypatch.delenv("SPARSITYSOLVER_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(file_hashes.os.path, "expanduser", lambda path: path.replace("~", home or "~"))
    monkeypatch.setattr(file_hashes.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert user_cache() == tmp_path / f"sparsitysolver-{os.getuid()}"
    assert not (tmp_path / "~").exists()
