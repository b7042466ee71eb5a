"""Folders that are no model, or half of one: what is missing or in the way is named, before anything is read."""

import json
import shutil

import pytest
import torch
from checkpoints import as_pickle, as_sharded_pickles, as_shards, load, refused
from safetensors.torch import save_file
from tiny import tiny_folder, tiny_tokenizer

from sparsitysolver.config.assets import Assets
from sparsitysolver.models.inspection import weight_files
from sparsitysolver.models.loading import load_chat_model, load_config, load_tokenizer, resolve_model

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
LORA = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-2-7b-hf"})


def unreadable(folder, load=load):
    """Why a folder is no model that can be read."""
    start = f"cannot read the model in {folder}: "
    message = refused(folder, load)
    assert message.startswith(start)
    return message.removeprefix(start)


def add_adapter(folder):
    (folder / "adapter_config.json").write_text(LORA)
    save_file({"base_model.model.x.lora_A.weight": torch.zeros(2, 2)}, folder / "adapter_model.safetensors")


# --- adapters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [True, False])
def test_an_adapter_alone(tmp_path, settings):
    add_adapter(tmp_path)
    if not settings:
        (tmp_path / "adapter_config.json").unlink()
    message = unreadable(tmp_path)
    base = "a LORA adapter of meta-llama/Llama-2-7b-hf" if settings else "an adapter of a base that it does not name"
    assert message.startswith(f"it holds {base}, not a model: merge it into its base (PEFT: merge_and_unload()")


def test_an_adapter_beside_a_model(folder):
    add_adapter(folder)
    message = unreadable(folder)
    assert "beside the model lies a LORA adapter of meta-llama/Llama-2-7b-hf, which is not applied here" in message
    assert "merge_and_unload" in message and "adapter_config.json and adapter_model.safetensors" in message
    assert weight_files(folder) == [folder / "model.safetensors"]
    assert unreadable(folder, lambda folder: load_chat_model(source(folder), "cpu", "auto")) == message


def source(folder):
    return resolve_model(str(folder), Assets(None))


# --- what is missing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_missing_files_are_named(folder, missing):
    (folder / missing).unlink()
    message = unreadable(folder)
    assert f"{missing} " in message and "is missing" in message and "(found: " in message
    assert "cut short" not in message


def test_an_empty_folder_and_one_that_holds_models(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    assert unreadable(tmp_path / "empty") == "config.json is missing (the folder is empty)."
    assert unreadable(tmp_path) == f"config.json is missing (found: empty, tiny); give {folder}."


def test_a_vocabulary_without_its_merges(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")
    assert "merges.txt is missing beside vocab.json" in unreadable(
        folder, lambda folder: load_tokenizer(source(folder))
    )


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


@pytest.mark.parametrize(("name", "word"), [("llama.Q4_K_M.gguf", "GGUF"), ("consolidated.00.pth", "converted")])
def test_weights_of_another_format(folder, name, word):
    (folder / "model.safetensors").rename(folder / name)
    message = unreadable(folder)
    assert "it has no weights: model.safetensors" in message and word in message and name in message


def test_links_that_lead_nowhere(folder):
    """A snapshot of the hub's cache that was copied without the files that it links to."""
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        kept = (folder / name).rename(folder / "kept")
        (folder / name).symlink_to("../../blobs/0123")
        assert unreadable(folder).startswith(f"{name} is a link to ../../blobs/0123, which is not there")
        (folder / name).unlink()
        kept.rename(folder / name)
    load(folder)


# --- what is not whole ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_pointers_of_git_lfs(folder, name):
    (folder / name).write_text(POINTER)
    assert unreadable(folder) == f"{name} is a git-lfs pointer, not the file itself; fetch it with 'git lfs pull'."


def test_pointers_in_place_of_what_is_not_read(folder):
    for name in ("pytorch_model.bin", "tokenizer.model", "flax_model.msgpack"):
        (folder / name).write_text(POINTER)
    load(folder)


@pytest.mark.parametrize("size", [1000, 9, 4, 0])
def test_safetensors_that_were_cut(folder, size):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    assert f"({size} bytes) is no whole safetensors file; copy it again if it was cut short." in unreadable(folder)
    path.write_bytes(whole[:-100])
    assert unreadable(folder) == (
        f"model.safetensors has {len(whole) - 100} of {len(whole)} bytes: it was cut short; copy it again."
    )


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "pytorch_model.bin"])
def test_other_files_that_were_cut(folder, name):
    if name.endswith(".bin"):
        as_pickle(folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    assert unreadable(folder).endswith("copy it again if it was cut short.")


# --- folders of the hub's cache ---------------------------------------------------------------------------------------


def test_the_root_of_a_model_in_the_hubs_cache(tmp_path):
    root = tmp_path / "models--org--name"
    snapshot = shutil.copytree(tiny_folder("opt"), root / "snapshots" / "abc")
    why = "it is a model's place in the hub's cache, not a model folder"
    assert unreadable(root) == f"{why}: give one of its snapshots, {snapshot}."
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("abc\n")
    assert (
        unreadable(root, lambda folder: load_config(source(folder)))
        == f"{why}: give its snapshot {snapshot} (refs/main)."
    )
    load(snapshot)
    shutil.rmtree(snapshot)
    assert unreadable(root) == f"{why}, and it holds no snapshot: download the model again."


def test_a_snapshot_of_links(folder, tmp_path):
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in folder.iterdir():
        (snapshot / path.name).symlink_to(path)
    assert load(snapshot).tokenizer("w5").input_ids == tiny_tokenizer()("w5").input_ids
