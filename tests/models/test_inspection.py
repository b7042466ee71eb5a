"""Folders that are no model, or half of one: what is missing or in the way is named, before anything is read."""

import json
import re
import shutil

import pytest
import torch
from checkpoints import as_pickle, as_sharded_pickles, as_shards, load, refused
from safetensors.torch import save_file
from tiny import tiny_folder, tiny_tokenizer

from sparsitysolver.config.assets import Assets
from sparsitysolver.model_files import weight_files
from sparsitysolver.models.loading import load_chat_model, load_config
from sparsitysolver.models.source import resolve_model

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
LORA = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-2-7b-hf"})
FILES = ("config.json", "model.safetensors", "tokenizer.json")


def unreadable(folder, load=load):
    """Why a folder is no model that can be read; what was cut short is blamed only where it says so."""
    start = f"cannot read the model in {folder}: "
    message = refused(folder, load)
    assert message.startswith(start)
    return message.removeprefix(start)


def source(folder):
    return resolve_model(str(folder), Assets(None))


def unlink(path):
    path.unlink()


def vocabulary_alone(path):
    path.unlink()
    path.with_name("vocab.json").write_text("{}")


def dead_link(path):
    """As in a snapshot of the hub's cache that was copied without the files that it links to."""
    path.unlink()
    path.symlink_to("../../blobs/0123")


def pointer(path):
    path.write_text(POINTER)


def half(path):
    if path.name == "pytorch_model.bin":
        as_pickle(path.parent)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_to(size):
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def renamed(name):
    return lambda path: path.rename(path.with_name(name))


NOT_WHOLE = "is no whole safetensors file; copy it again if it was cut short."
CASES = [
    *((name, unlink, rf"{name} .*is missing.*\(found: ") for name in FILES),
    ("tokenizer.json", vocabulary_alone, "merges.txt is missing beside vocab.json"),
    *((name, dead_link, rf"^{name} is a link to \.\./\.\./blobs/0123, which is not there") for name in FILES),
    *(
        (name, pointer, rf"^{name} is a git-lfs pointer, not the file itself; fetch it with 'git lfs pull'\.$")
        for name in (*FILES, "tokenizer_config.json")
    ),
    *(("model.safetensors", cut_to(size), rf"\({size} bytes\) {NOT_WHOLE}") for size in (1000, 9, 4, 0)),
    (
        "model.safetensors",
        cut_to(-100),
        r"^model\.safetensors has \d+ of \d+ bytes: it was cut short; copy it again\.$",
    ),
    *((name, half, r"copy it again if it was cut short\.$") for name in ("config.json", "tokenizer.json")),
    ("pytorch_model.bin", half, r"copy it again if it was cut short\.$"),
    ("model.safetensors", renamed("x.Q4_K_M.gguf"), r"it has no weights: model\.safetensors.*GGUF.*Q4_K_M\.gguf"),
    ("model.safetensors", renamed("consolidated.00.pth"), r"it has no weights: .*converted.*consolidated\.00\.pth"),
]


@pytest.mark.parametrize(("name", "broken", "words"), CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)])
def test_broken_files_are_named(folder, name, broken, words):
    broken(folder / name)
    message = unreadable(folder)
    assert re.search(words, message), message
    assert "cut short" not in message or "cut" in words


@pytest.mark.parametrize("settings", [True, False])
def test_an_adapter_alone_and_beside_a_model(folder, tmp_path, settings):
    for place in (tmp_path / "adapter", folder):
        place.mkdir(exist_ok=True)
        save_file({"base_model.model.x.lora_A.weight": torch.zeros(2, 2)}, place / "adapter_model.safetensors")
        if settings:
            (place / "adapter_config.json").write_text(LORA)
    base = "a LORA adapter of meta-llama/Llama-2-7b-hf" if settings else "an adapter of a base that it does not name"
    merge = "merge it into its base (PEFT: merge_and_unload()"
    assert unreadable(tmp_path / "adapter").startswith(f"it holds {base}, not a model: {merge}")
    message = unreadable(folder)
    assert f"beside the model lies {base}, which is not applied here: {merge}" in message
    assert ("adapter_config.json and " if settings else "") + "adapter_model.safetensors" in message
    assert weight_files(folder) == [folder / "model.safetensors"]
    assert unreadable(folder, lambda folder: load_chat_model(source(folder), "cpu", "auto")) == message


def test_an_empty_folder_and_one_that_holds_models(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    assert unreadable(tmp_path / "empty") == "config.json is missing (the folder is empty)."
    assert unreadable(tmp_path) == f"config.json is missing (found: empty, tiny); give {folder}."


@pytest.mark.parametrize(
    ("name", "shard"), [("model.safetensors", as_shards), ("pytorch_model.bin", as_sharded_pickles)]
)
def test_a_missing_shard_and_a_missing_index(folder, name, shard):
    shard(folder)
    shards = weight_files(folder)
    assert shards[0].name == f"{name}.index.json" and len(shards) > 2
    load(folder)
    shards[1].rename(folder / "away")
    assert unreadable(folder) == f"{name}.index.json names {shards[1].name}, which is missing; copy it again."
    (folder / "away").rename(shards[1])
    shards[0].unlink()
    assert "the index of its shards (model.safetensors.index.json) is missing" in unreadable(folder)


def test_pointers_in_place_of_what_is_not_read(folder):
    for name in ("pytorch_model.bin", "tokenizer.model", "flax_model.msgpack"):
        (folder / name).write_text(POINTER)
    load(folder)


def test_the_root_of_a_model_in_the_hubs_cache(tmp_path):
    root = tmp_path / "models--org--name"
    snapshot = shutil.copytree(tiny_folder("opt"), root / "snapshots" / "abc")
    why = "it is a model's place in the hub's cache, not a model folder"
    assert unreadable(root) == f"{why}: give one of its snapshots, {snapshot}."
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("abc\n")
    found = unreadable(root, lambda folder: load_config(source(folder)))
    assert found == f"{why}: give its snapshot {snapshot} (refs/main)."
    load(snapshot)
    shutil.rmtree(snapshot)
    assert unreadable(root) == f"{why}, and it holds no snapshot: download the model again."


def test_a_snapshot_of_links(folder, tmp_path):
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in folder.iterdir():
        (snapshot / path.name).symlink_to(path)
    assert load(snapshot).tokenizer("w5").input_ids == tiny_tokenizer()("w5").input_ids
