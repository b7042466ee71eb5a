"""The same weights in every form that people keep them in, and what must not be mended silently."""

import shutil

import numpy as np
import pytest
import torch
from checkpoints import as_pickle, as_sharded_pickles, as_shards, change_config, change_weights, load
from commands import EVALUATE, PRUNE, failure
from safetensors.torch import save_file
from tiny import logits, tiny_folder, tiny_ids, tiny_model, tiny_text, tiny_tokenizer

from sparsitysolver.models.saving import save_pruned


def as_legacy_pickle(folder):
    as_pickle(folder, _use_new_zipfile_serialization=False)


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
    change_config(folder, pad_token_id=None)
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    loaded = load(folder)
    assert loaded.tokenizer.pad_token is None
    assert torch.equal(logits(loaded.model), logits(tiny_model("llama")))


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a model to change, a text and calibration ids."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_folder("llama"), "model")
    (tmp_path / "text.txt").write_text(tiny_text(400))
    np.save("ids.npy", tiny_ids())
    return tmp_path


def test_no_method_prunes_what_is_not_finite(place, capsys):
    change_weights(place / "model", lambda state: state["model.layers.1.mlp.down_proj.weight"][0].fill_(torch.nan))
    for method in ("flap", "wanda"):
        error = failure(capsys, "prune", "./model", *PRUNE[2:], "--method", method)
        assert "tensor model.layers.1.mlp.down_proj.weight holds 44 NaN" in error
        assert not (place / "out").exists()


def test_overflow_in_float16_names_another_precision(place, capsys):
    """All weights are within float16's range, and what they give is not."""
    change_weights(
        place / "model", lambda state: (state["model.norm.weight"][:1].fill_(6e4), state["lm_head.weight"].fill_(6e4))
    )
    command = ("evaluate", "./model", "--task", "./text.txt", "--seqlen", "16")
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
