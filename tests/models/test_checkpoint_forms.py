"""The same weights in every form that people keep them in, and what must not be mended silently."""

import json
import shutil

import numpy as np
import pytest
import torch
from commands import EVALUATE, PRUNE, failure
from safetensors.torch import load_file, save_file
from tiny import assert_generates_alike, logits, tiny_folder, tiny_ids, tiny_model, tiny_text, tiny_tokenizer

from sparsitysolver.models.loading import load_model
from sparsitysolver.models.saving import save_pruned


def load(folder, **options):
    return load_model(str(folder), device="cpu", **options)


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny LLaMA that a test may change."""
    return shutil.copytree(tiny_folder("llama"), tmp_path / "tiny")


def as_shards(folder):
    load(folder).model.save_pretrained(folder / "new", max_shard_size="20KB")
    (folder / "model.safetensors").unlink()
    for path in (folder / "new").glob("model*"):
        path.rename(folder / path.name)
    shutil.rmtree(folder / "new")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2


def as_pickle(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def as_legacy_pickle(folder):
    state = load_file(folder / "model.safetensors")
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    (folder / "model.safetensors").unlink()


def as_sharded_pickles(folder):
    state = load_file(folder / "model.safetensors")
    files = {name: f"pytorch_model-0000{1 + place % 2}-of-00002.bin" for place, name in enumerate(state)}
    for file in set(files.values()):
        torch.save({name: state[name] for name in state if files[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    (folder / "model.safetensors").unlink()


def beside_other_weights(folder):
    """What transformers does not read: pickles beside safetensors, and a consolidated copy."""
    save_file({"x": torch.zeros(1)}, folder / "consolidated.safetensors")
    torch.save({"x": torch.zeros(1)}, folder / "pytorch_model.bin")


@pytest.mark.parametrize("change", [as_shards, as_pickle, as_legacy_pickle, as_sharded_pickles, beside_other_weights])
def test_every_form_of_the_same_weights(folder, change):
    expected = logits(tiny_model("llama"))
    change(folder)
    assert torch.equal(logits(load(folder).model), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_checkpoints(family, dtype, tmp_path):
    model = tiny_model(family)
    for parameter in model.parameters():  # model.half() would also round the rotary frequencies
        parameter.data = parameter.data.to(dtype)
    save_pruned(model, tiny_tokenizer(), None, tmp_path / "half")
    loaded = load(tmp_path / "half").model
    assert loaded.dtype == torch.float32
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    assert torch.equal(logits(loaded), logits(model))


def test_no_pad_token(folder):
    config = json.loads((folder / "config.json").read_text()) | {"pad_token_id": None}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    loaded = load(folder)
    assert loaded.tokenizer.pad_token is None
    assert torch.equal(logits(loaded.model), logits(tiny_model("llama")))


def test_a_loaded_model_saved_anew_is_the_same(family, tmp_path):
    loaded = load(tiny_folder(family))
    loaded.model.save_pretrained(tmp_path / "again")
    loaded.tokenizer.save_pretrained(tmp_path / "again")
    again = load(tmp_path / "again").model
    assert torch.equal(logits(again), logits(loaded.model))
    assert_generates_alike(again)


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a model to change, a text and calibration ids."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_folder("llama"), "model")
    (tmp_path / "text.txt").write_text(tiny_text(400))
    np.save("ids.npy", tiny_ids())
    return tmp_path


def spoil(name, value):
    state = load_file("model/model.safetensors")
    state[name][0] = value
    save_file(state, "model/model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("method", ["flap", "slicegpt", "uniform", "svd_llm", "wanda", "magnitude"])
def test_no_method_prunes_what_is_not_finite(method, place, capsys):
    spoil("model.layers.1.mlp.down_proj.weight", torch.nan)
    error = failure(capsys, "prune", "./model", *PRUNE[2:], "--method", method)
    assert "tensor model.layers.1.mlp.down_proj.weight holds 44 NaN" in error
    assert not (place / "out").exists()


def test_overflow_in_float16_names_another_precision(place, capsys):
    """All weights are within float16's range, and what they give is not."""
    spoil("model.norm.weight", 6e4)
    command = ("evaluate", "./model", "--task", "./text.txt", "--seqlen", "16")
    state = load_file("model/model.safetensors")
    state["lm_head.weight"].fill_(6e4)
    save_file(state, "model/model.safetensors", metadata={"format": "pt"})
    error = failure(capsys, *command, "--dtype", "float16")
    assert "windows have no finite loss. Try another dtype." in error


def test_an_output_folder_that_is_the_model(place, capsys):
    before = {path.name: path.read_bytes() for path in (place / "model").iterdir()}
    error = failure(capsys, "prune", "./model", *PRUNE[4:], "--method", "uniform", "--out", "./model")
    assert "./model exists and is not empty" in error
    assert {path.name: path.read_bytes() for path in (place / "model").iterdir()} == before


def test_commands_say_what_a_folder_lacks(place, capsys):
    (place / "model" / "tokenizer.json").unlink()
    commands = (
        ("evaluate", "./model", *EVALUATE[2:4], "--task", "./text.txt"),
        ("prune", "./model", *PRUNE[2:], "--method", "flap"),
        ("sample", "./model", "--calibration", "./text.txt", "--out", "drawn.npy"),
    )
    for command in commands:
        assert "it has no tokenizer: tokenizer.json" in failure(capsys, *command)
