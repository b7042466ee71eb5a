"""Artefacts as files: content keys, whole or not at all, records checked on their way in and out."""

import errno

import pytest
from safetensors import SafetensorError

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import (
    atomic_folder,
    atomic_path,
    canonical_json,
    content_key,
    file_sha256,
    identity,
    read_json,
    read_record,
    write_json,
    write_record,
    write_text,
)

STRATEGY = {
    "format": 1,
    "model": {"name": "m", "family": "opt", "weights_sha256": "abc"},
    "granularity": "structured",
    "target_sparsity": 0.5,
    "achieved_sparsity": 0.5,
    "units": [{"name": "layers.0.mha", "kind": "mha", "size": 4, "kept": 2, "ratio": 0.5}],
    "found": {"algorithm": "ppo"},
    "seed": 0,
}


def test_one_spelling_of_json():
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"\\u00e9","b":[1,2.5]}'
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1}) == "43258cff783fe703"
    assert content_key({"a": 1}) != content_key({"a": "1"})
    assert len(content_key([], 64)) == 64


def test_text_and_json_are_written_byte_for_byte(tmp_path):
    write_text(tmp_path / "x.txt", "a\r\né\u2028\n")
    assert (tmp_path / "x.txt").read_bytes() == "a\r\né\u2028\n".encode()
    write_json(tmp_path / "deep" / "x.json", {"b": 1, "a": [0.1, None]})
    assert read_json(tmp_path / "deep" / "x.json", "thing") == {"a": [0.1, None], "b": 1}
    assert (tmp_path / "deep" / "x.json").read_text().startswith('{\n "a"')
    (tmp_path / "x").write_bytes(b"abc")
    assert file_sha256(tmp_path / "x").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize("error", [ValueError("oh"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_or_folder_and_nothing_else(error, tmp_path):
    write_text(tmp_path / "x", "old")
    with pytest.raises(type(error)), atomic_path(tmp_path / "x") as temporary:
        temporary.write_text("half")
        raise error
    for name in ("a", "b"):  # the second takes the place of the whole first
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / name).write_text("old")
    with pytest.raises(type(error)), atomic_folder(tmp_path / "folder") as folder:
        (folder / "b").write_text("new")
        raise error
    assert (tmp_path / "x").read_text() == (tmp_path / "folder" / "b").read_text() == "old"
    assert {path.name for path in tmp_path.rglob("*")} == {"x", "folder", "b"}


def test_a_name_that_is_taken_meanwhile_stays_as_it_is(tmp_path):
    """Without ``replace``: an empty folder makes way, a file and a folder with content do not."""
    (tmp_path / "empty").mkdir()
    for name in ("empty", "free"):
        with atomic_folder(tmp_path / name, replace=False) as folder:
            (folder / "mine").touch()
        assert (tmp_path / name / "mine").is_file()
    (tmp_path / "file").write_text("theirs")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "theirs").touch()
    for name in ("file", "folder"):
        with (
            pytest.raises(SparsitySolverError, match=f"{name} exists by now"),
            atomic_folder(tmp_path / name, replace=False) as folder,
        ):
            (folder / "mine").touch()
    assert (tmp_path / "file").read_text() == "theirs" and (tmp_path / "folder" / "theirs").is_file()
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("writing", [atomic_path, atomic_folder])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 448 vs 342"),
    ],
    ids=["system", "safetensors", "torch"],
)
def test_a_full_disk_is_an_error_that_names_the_file(writing, error, tmp_path):
    with pytest.raises(SparsitySolverError, match=f"cannot write {tmp_path}/x: "), writing(tmp_path / "x"):
        raise error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("writing", [atomic_path, atomic_folder])
def test_a_place_that_cannot_be_written(writing, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SparsitySolverError, match=f"cannot write {tmp_path}/file/x"), writing(tmp_path / "file" / "x"):
        pass


def test_missing_and_broken_json(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(SparsitySolverError, match=f"no strategy file at {path}"):
        read_json(path, "strategy")
    for content, fault in ((b"{", "broken JSON"), (b"\xff\xfe", "broken JSON"), (b"[1]", "expected a .*, found list")):
        path.write_bytes(content)
        with pytest.raises(SparsitySolverError, match=f"{path} is not a strategy: {fault}"):
            read_json(path, "strategy")


def test_a_record_round_trip_and_a_broken_one_that_is_not_written(tmp_path):
    write_record(tmp_path / "x.json", STRATEGY | {"run": {"seconds": 1}}, "strategy")
    assert identity(read_record(tmp_path / "x.json", "strategy")) == STRATEGY
    with pytest.raises(SparsitySolverError, match="y.json is not a valid strategy: units: "):
        write_record(tmp_path / "y.json", STRATEGY | {"units": []}, "strategy")
    assert len(list(tmp_path.iterdir())) == 1
