"""Pruned models survive a round trip through a folder; padded ones load as stock models."""

import json

import pytest
import torch
from tiny import assert_generates_alike, logits, tiny_ids, tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.saving import save_padded, save_pruned
from sparsitysolver.models.structure import (
    LowRankLinear,
    apply_structure,
    low_rank_structure,
    rotated_structure,
    sliced_structure,
)
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn


def sliced_model(family, groups, neurons, **overrides):
    """A model sliced to the first so many groups and neurons of each layer, and its structure."""
    model = tiny_model(family, **overrides)
    adapter = adapt(model)
    for index, (heads, width) in enumerate(zip(groups, neurons, strict=True)):
        slice_attention(adapter, index, torch.arange(heads))
        slice_ffn(adapter, index, torch.arange(width))
    return model, sliced_structure(groups, neurons)


def filled(model):
    """Random values for a model whose shapes were just applied."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return model.eval().requires_grad_(False)


def structured_model(family, structure, **overrides):
    """A model of some structure with random values."""
    model = tiny_model(family, **overrides)
    apply_structure(adapt(model), structure)
    return filled(model)


def ranks(family, rank=5):
    return {name: rank for name, _ in adapt(tiny_model(family)).prunable_linears()}


@pytest.mark.parametrize("groups", [[1, 2, 1], [0, 2, 0], [0, 0, 0]])
@pytest.mark.parametrize("neurons", [[7, 0, 30], [0, 0, 0]])
@pytest.mark.parametrize("tied", [True, False])
def test_sliced_round_trip_is_exact(family, groups, neurons, tied, tmp_path):
    model, structure = sliced_model(family, groups, neurons, tie_word_embeddings=tied)
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "m")
    loaded = load_model(str(tmp_path / "m"), device="cpu").model
    assert torch.equal(logits(loaded), logits(model))
    assert loaded.config.sparsitysolver == structure
    assert (loaded.lm_head.weight.data_ptr() == loaded.get_input_embeddings().weight.data_ptr()) == tied
    assert_generates_alike(loaded)


def test_shards_keep_empty_tensors(family, tmp_path):
    model, structure = sliced_model(family, [0, 1, 0], [0, 9, 0])
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "m", shard_size="4KB")
    assert len(list((tmp_path / "m").glob("*.safetensors"))) > 1
    assert torch.equal(logits(load_model(str(tmp_path / "m"), device="cpu").model), logits(model))


def test_a_loaded_pruned_model_can_be_saved_again(family, tmp_path):
    model, structure = sliced_model(family, [0, 1, 2], [5, 0, 9])
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "a")
    first = load_model(str(tmp_path / "a"), device="cpu")
    save_pruned(first.model, first.tokenizer, first.structure, tmp_path / "b")
    assert torch.equal(logits(load_model(str(tmp_path / "b"), device="cpu").model), logits(model))
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in "ab"]
    assert configs[0] == configs[1]


@pytest.mark.parametrize("width", [1, 20, 32])
def test_rotated_round_trip_is_exact(family, width, tmp_path):
    structure = rotated_structure(width)
    model = structured_model(family, structure)
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "m")
    loaded = load_model(str(tmp_path / "m"), device="cpu").model
    assert torch.equal(logits(loaded), logits(model))
    assert_generates_alike(loaded)


def test_low_rank_round_trip_is_exact(family, tmp_path):
    structure = low_rank_structure(ranks(family))
    model = structured_model(family, structure)
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "m")
    assert torch.equal(logits(load_model(str(tmp_path / "m"), device="cpu").model), logits(model))


def test_half_precision_round_trip_keeps_the_dtype(family, tmp_path):
    model, structure = sliced_model(family, [1, 0, 2], [5, 0, 9])
    for parameter in model.parameters():  # model.half() would also round the rotary frequencies
        parameter.data = parameter.data.half()
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "m")
    assert json.loads((tmp_path / "m" / "config.json").read_text())["dtype"] == "float16"
    loaded = load_model(str(tmp_path / "m"), device="cpu", dtype="float16").model
    assert torch.equal(logits(loaded), logits(model))


def test_saving_replaces_an_older_folder_whole(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "stale").write_text("x")
    model, structure = sliced_model("opt", [1, 1, 1], [5, 5, 5])
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "m")
    assert not (tmp_path / "m" / "stale").exists()


def padded_and_stock(model, folder):
    save_padded(model, tiny_tokenizer(), folder)
    AutoTokenizer.from_pretrained(folder)
    stock, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    assert "sparsitysolver" not in json.loads((folder / "config.json").read_text())
    return stock.eval()


@pytest.mark.parametrize("tied", [True, False])
def test_padded_model_is_stock_and_gives_equal_logits(family, tied, tmp_path):
    model, structure = sliced_model(family, [0, 1, 2], [5, 0, 30], tie_word_embeddings=tied)
    model.config.sparsitysolver = structure
    stock = padded_and_stock(model, tmp_path / "m")
    assert (logits(stock) - logits(model)).abs().max() <= 1e-5
    assert stock.num_parameters() == tiny_model(family, tie_word_embeddings=tied).num_parameters()
    assert model.config.sparsitysolver == structure


@pytest.mark.parametrize("family", ["opt", "llama"])
def test_padded_model_keeps_added_output_biases(family, tmp_path):
    structure = sliced_structure([0, 1, 2], [5, 0, 30], (True, True))
    model = structured_model(family, structure)
    model.config.sparsitysolver = structure
    assert (logits(padded_and_stock(model, tmp_path / "m")) - logits(model)).abs().max() <= 1e-5


def test_stock_mistral_has_no_place_for_biases(tmp_path):
    model = structured_model("mistral", structure := sliced_structure([1, 1, 1], [5, 5, 5], (True, True)))
    model.config.sparsitysolver = structure
    with pytest.raises(SparsitySolverError, match="Mistral has no option for biases"):
        save_padded(model, tiny_tokenizer(), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_low_rank_is_multiplied_out(family, tmp_path):
    model = structured_model(family, structure := low_rank_structure(ranks(family)))
    model.config.sparsitysolver = structure
    assert any(isinstance(module, LowRankLinear) for module in model.modules())
    assert (logits(padded_and_stock(model, tmp_path / "m")) - logits(model)).abs().max() <= 1e-4


def test_shortcuts_have_no_place_in_a_stock_model(family, tmp_path):
    model = structured_model(family, structure := rotated_structure(20))
    model.config.sparsitysolver = structure
    with pytest.raises(SparsitySolverError, match="shortcuts"):
        save_padded(model, tiny_tokenizer(), tmp_path / "m")


def test_hidden_states_go_through_the_adapter(family, tmp_path):
    model = structured_model(family, rotated_structure(20))
    hidden = adapt(model).hidden_states(torch.from_numpy(tiny_ids(seed=99)).long())
    assert hidden.shape[-1] == 32
    assert torch.equal(model.lm_head(hidden), logits(model))
