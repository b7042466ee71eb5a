"""Changing the checkpoint of a folder, and the messages with which changed ones are refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_model, tiny_tokenizer

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import load_model


def load(folder, device="cpu", **options):
    """A model of a folder."""
    return load_model(str(folder), device=device, **options)


def refused(name, load=load, **options):
    """The message with which loading is refused: one line."""
    with pytest.raises(SparsitySolverError) as error:
        load(name, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def saved(folder, family, **overrides):
    """A tiny model of a family with its tokenizer."""
    tiny_model(family, **overrides).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def change_config(folder, name="config.json", **fields):
    """Set fields of a folder's settings."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def change_weights(folder, change):
    """Apply ``change`` to a folder's state dict."""
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def as_pickle(folder, **options):
    """Weights in one pickle, as older checkpoints have them."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin", **options)
    (folder / "model.safetensors").unlink()


def as_shards(folder):
    """Weights in shards with an index."""
    model = load(folder).model
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2


def as_sharded_pickles(folder):
    """Weights in two pickles with an index."""
    state = load_file(folder / "model.safetensors")
    files = {name: f"pytorch_model-0000{1 + place % 2}-of-00002.bin" for place, name in enumerate(state)}
    for file in set(files.values()):
        torch.save({name: state[name] for name in state if files[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    (folder / "model.safetensors").unlink()
