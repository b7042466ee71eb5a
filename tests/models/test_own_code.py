"""Folders with Python files of their own: their code is not run, and nobody is asked whether to run it."""

import json
import shutil

import pytest
import torch
from commands import failure
from tiny import logits, tiny_folder, tiny_model, tiny_text
from transformers import LlamaForCausalLM

from sparsitysolver.chat.transformers_model import TransformersModel
from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import load_model

CODE = """
from pathlib import Path
Path({marker!r}).touch()
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
class OwnTokenizer(PreTrainedTokenizerFast):
    pass
def generate(model, **options):
    raise RuntimeError
"""
CONFIG = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
TOKENIZER = {"AutoTokenizer": ["own.OwnTokenizer", "own.OwnTokenizer"]}


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A file that the folder's code would write; who is asked whether to run it says yes."""
    monkeypatch.setattr("builtins.input", lambda prompt="": "y")
    yield tmp_path / "ran"
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def folder(tmp_path, marker):
    """A tiny LLaMA beside a file of code, which no entry names yet."""
    copy = shutil.copytree(tiny_folder("llama"), tmp_path / "m")
    (copy / "own.py").write_text(CODE.format(marker=str(marker)))
    (copy / "custom_generate").mkdir()
    shutil.copy(copy / "own.py", copy / "custom_generate" / "generate.py")
    return copy


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_code_that_nothing_names_is_left_alone(folder):
    loaded = load_model(str(folder), device="cpu").model
    assert torch.equal(logits(loaded), logits(tiny_model("llama"))) and type(loaded) is LlamaForCausalLM


@pytest.mark.parametrize("kind", ["llama", "own"])
def test_a_config_of_own_code_is_refused(folder, kind, capsys):
    """A stock kind, whose weights could be read, is no other case: the folder's model is not the stock one."""
    change(folder / "config.json", auto_map=CONFIG, model_type=kind)
    (folder.parent / "text.txt").write_text(tiny_text())
    line = failure(capsys, "evaluate", folder, "--task", folder.parent / "text.txt", "--seqlen", "16")
    assert f"the model in {folder} is defined by code of its own (config.json: auto_map names" in line
    assert "own.OwnModel" in line and "never run here" in line


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json"])
def test_a_tokenizer_of_own_code_is_refused(folder, name):
    change(folder / name, auto_map=TOKENIZER)
    with pytest.raises(SparsitySolverError, match=rf"\({name}: auto_map names .*own.OwnTokenizer.*never run here"):
        load_model(str(folder), device="cpu")


@pytest.mark.parametrize(("name", "entry"), [("config.json", CONFIG), ("tokenizer_config.json", TOKENIZER)])
def test_a_chat_model_of_own_code_is_refused(folder, name, entry):
    change(folder / name, auto_map=entry, **({"model_type": "own"} if name == "config.json" else {}))
    with pytest.raises(SparsitySolverError, match=f"the model in {folder} is defined by code of its own"):
        TransformersModel(str(folder), assets=Assets(None)).complete([{"role": "user", "content": "w5"}], 0)


def test_a_hub_model_of_own_code_is_refused(folder, tmp_path, monkeypatch):
    """A snapshot in the hub's cache is read the same way, by id."""
    from huggingface_hub import constants

    snapshot = tmp_path / "hub" / "models--someone--own" / "snapshots" / ("0" * 40)
    change(folder / "config.json", auto_map=CONFIG, model_type="own")
    shutil.copytree(folder, snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(SparsitySolverError, match=r"the model in someone/own is defined by code of its own"):
        load_model("someone/own", device="cpu")
