"""Finding and loading models by folder, key and hub id; every failure says what was wanted and where it was sought."""

import shutil

import huggingface_hub.constants
import pytest
import torch
from checkpoints import change_config, change_weights, refused
from safetensors.torch import load_file
from tiny import logits, tiny_config, tiny_folder, tiny_model
from transformers import GPT2Config

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import load_model, weights_identity
from sparsitysolver.models.source import resolve_model

NO_ASSETS = Assets(None)


# --- that which works -----------------------------------------------------------------------------------------------


def test_a_folder_loads_ready_to_evaluate(family):
    loaded = load_model(str(tiny_folder(family)), device="cpu")
    assert torch.equal(logits(loaded.model), logits(tiny_model(family)))
    assert not loaded.model.training and not any(p.requires_grad for p in loaded.model.parameters())
    assert (loaded.dtype, loaded.device, loaded.structure, loaded.context) == ("float32", "cpu", None, 64)
    assert loaded.adapter.shape.family == loaded.adapter.family == family
    assert loaded.tokenizer("w5 w6").input_ids == [2, 5, 6]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_precision_by_option_and_float32_on_the_cpu_by_default(dtype, tmp_path):
    tiny_model("opt").to(getattr(torch, dtype)).save_pretrained(tmp_path)
    shutil.copy(tiny_folder("opt") / "tokenizer.json", tmp_path)
    shutil.copy(tiny_folder("opt") / "tokenizer_config.json", tmp_path)
    assert load_model(str(tmp_path), device="cpu").model.dtype == torch.float32
    assert load_model(str(tmp_path), device="cpu", dtype=dtype).model.dtype == getattr(torch, dtype)


def test_window_lengths():
    loaded = load_model(str(tiny_folder("llama")), device="cpu")
    assert (loaded.seqlen(None), loaded.seqlen(None, 16), loaded.seqlen(64)) == (64, 16, 64)
    for length in (65, 1, 0, -5):
        with pytest.raises(SparsitySolverError, match=f"window length {length} asked for; .* takes 2 to 64 tokens"):
            loaded.seqlen(length)


def test_identity_names_the_weights(folder):
    def identity():
        return weights_identity(resolve_model(str(folder), NO_ASSETS))

    first = identity()
    assert first == weights_identity(resolve_model(str(tiny_folder("llama")), NO_ASSETS)) and len(first) == 64
    change_weights(folder, lambda state: state["model.norm.weight"].add_(1))
    assert identity() != first


def test_identity_of_older_weight_files(folder):
    """Folders whose weights lie in pytorch_model.bin load, and two of them are told apart."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    found = set()
    for shift in (0, 1):
        torch.save({name: tensor + shift for name, tensor in state.items()}, folder / "pytorch_model.bin")
        loaded = load_model(str(folder), device="cpu")
        assert torch.equal(loaded.model.model.norm.weight, state["model.norm.weight"] + shift)
        found.add(loaded.weights_sha256)
    assert len(found) == 2


# --- names ----------------------------------------------------------------------------------------------------------


def test_names_of_nothing():
    assert refused("opt-125").startswith("unknown model 'opt-125'; did you mean opt-125m")
    assert "Allowed: " in refused("something") and "llama-7b" in refused("something")
    for name in ("/nowhere/model", "./nowhere", "a/b/c"):
        assert refused(name) == f"no model folder at {name}."


def test_a_registered_model_comes_from_the_assets_folder(tmp_path):
    key = next(row.key for row in models_table().values() if row.hub_id)
    message = refused(key, assets=Assets(tmp_path))
    assert f"{tmp_path}/models/{key} and is not there" in message
    shutil.copytree(tiny_folder("opt"), tmp_path / "models" / key)
    for name in (key, models_table()[key].hub_id):
        assert load_model(name, device="cpu", assets=Assets(tmp_path)).source.name == key


def test_a_model_that_only_assets_hold(tmp_path):
    """By its name there, where an assets folder is given; without one it is no model that anybody knows."""
    shutil.copytree(tiny_folder("opt"), tmp_path / "models" / "my-own")
    assert "unknown model 'my-own'" in refused("my-own")
    assert "unknown model 'my-one'; did you mean my-own" in refused("my-one", assets=Assets(tmp_path))
    assert load_model("my-own", device="cpu", assets=Assets(tmp_path)).source.name == "my-own"


def test_an_unreachable_hub_is_one_clear_error():
    row = models_table()["opt-125m"]
    for name in ("opt-125m", row.hub_id):
        message = refused(name)
        for part in (row.hub_id, row.revision, "from the hub or its cache", "HF_HUB_OFFLINE", "--assets DIR"):
            assert part in message
    assert "someone/something" in refused("someone/something")


@pytest.fixture
def cached():
    """Puts a folder into the hub's cache under an id and a revision."""
    cache = huggingface_hub.constants.HF_HUB_CACHE
    made = []

    def put(folder, hub_id, revision):
        place = f"{cache}/models--{hub_id.replace('/', '--')}"
        shutil.copytree(folder, f"{place}/snapshots/{revision}")
        made.append(place)

    yield put
    for place in made:
        shutil.rmtree(place)


def test_a_hub_model_loads_from_the_hubs_cache(cached):
    """The very path of downloaded models: pinned revision, cache layout, no network."""
    row = models_table()["opt-125m"]
    cached(tiny_folder("opt"), row.hub_id, row.revision)
    loaded = load_model("opt-125m", device="cpu")
    assert torch.equal(logits(loaded.model), logits(tiny_model("opt")))
    assert loaded.source.revision == row.revision and not loaded.source.is_local
    assert loaded.tokenizer("w5").input_ids == [2, 5]
    assert loaded.weights_sha256 == weights_identity(loaded.source)
    assert load_model(row.hub_id, device="cpu").weights_sha256 == loaded.weights_sha256


def test_another_revision_in_the_cache_is_not_taken(cached):
    row = models_table()["opt-125m"]
    cached(tiny_folder("opt"), row.hub_id, "0" * 40)
    assert row.revision in refused("opt-125m")


# --- what is refused ------------------------------------------------------------------------------------------------


def test_unsupported_architectures(tmp_path):
    GPT2Config(n_embd=8, n_layer=1, n_head=1).save_pretrained(tmp_path)
    message = refused(tmp_path)
    assert message.startswith(
        "unknown model family 'gpt2'. Allowed: gemma2, gemma3_text, llama, mistral, opt, phi3, qwen2"
    )
    assert "Another is one file" in message and "CONTRIBUTING.md" in message
    tiny_config("opt", do_layer_norm_before=False).save_pretrained(tmp_path)
    message = refused(tmp_path)
    assert str(tmp_path) in message and "only pre-norm OPT" in message


def test_weights_that_lack_a_tensor_or_have_another_shape(folder):
    """A checkpoint cut by a tool, not by the disk: missing tensors would be random numbers."""
    change_config(folder, intermediate_size=40)
    message = refused(folder)
    assert f"the weights in {folder} do not fit its config.json: 9 tensors are of another shape" in message
    assert "model.layers.0.mlp.down_proj.weight with (32, 44) in place of (32, 40)" in message
    change_config(folder, intermediate_size=44)
    change_weights(folder, lambda state: state.pop("model.layers.1.mlp.up_proj.weight"))
    message = refused(folder)
    assert str(folder) in message and "model.layers.1.mlp.up_proj.weight" in message


@pytest.mark.parametrize("change", [{"format": 99}, {"kind": "sparse"}])
def test_pruned_models_of_another_version(folder, change):
    structure = {"format": 1, "kind": "sliced", "groups": [4] * 3, "neurons": [44] * 3} | change
    change_config(folder, sparsitysolver=structure)
    assert str(next(iter(change.values()))) in refused(folder)


def test_unknown_precision_and_device():
    assert "unknown dtype 'flaot16'; did you mean float16" in refused(tiny_folder("opt"), dtype="flaot16")
    assert "device 'gpu'" in refused(tiny_folder("opt"), device="gpu")
    if not torch.cuda.is_available():
        assert "no usable GPU" in refused(tiny_folder("opt"), device="cuda")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_is_not_blamed_on_the_folder(error, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("sparsitysolver.models.loading.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(type(error)):
        load_model(str(tiny_folder("opt")), device="cpu")
