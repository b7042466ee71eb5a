"""Pruned models survive a round trip through a folder; padded ones load as stock models."""

import json

import pytest
import torch
from checkpoints import load
from tiny import assert_generates_alike, logits, tiny_ids, tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.saving import save_padded, save_pruned
from sparsitysolver.models.structure import (
    LowRankLinear,
    apply_structure,
    low_rank_structure,
    rotated_structure,
    sliced_structure,
)

# By families of other layers: a LLaMA has a matrix more.
LOW_RANK = low_rank_structure({f"layers.{i}.{r}": 5 for i in range(3) for r in adapt(tiny_model("llama")).shape.roles})
LOW_RANK["ranks"] |= {f"layers.{index}.ffn_input": 5 for index in range(3)}
STRUCTURES = {
    "sliced": sliced_structure([1, 2, 1], [7, 0, 30]),
    "without attention": sliced_structure([0, 2, 0], [7, 0, 30]),
    "without anything": sliced_structure([0, 0, 0], [0, 0, 0]),
    "low rank": LOW_RANK,
    **{f"rotated to {width}": rotated_structure(width) for width in (1, 20, 32)},
}
SLICED = sliced_structure([0, 1, 2], [5, 0, 30])
BIASED = sliced_structure([0, 1, 2], [5, 0, 30], (True, True))


def structured(family, structure, **overrides):
    """A model of some structure with random values."""
    model = tiny_model(family, **overrides)
    apply_structure(adapt(model), structure)
    model.config.sparsitysolver = structure
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", STRUCTURES)
def test_round_trip_is_exact_and_can_be_saved_again(family, kind, tied, tmp_path):
    structure = STRUCTURES[kind]
    model = structured(family, structure, tie_word_embeddings=tied)
    save_pruned(model, tiny_tokenizer(), structure, tmp_path / "a")
    loaded = load(tmp_path / "a")
    assert torch.equal(logits(loaded.model), logits(model))
    assert loaded.structure == structure
    head, table = loaded.model.lm_head.weight, loaded.model.get_input_embeddings().weight
    assert (head.data_ptr() == table.data_ptr()) == (tied and "rotated" not in kind)
    assert_generates_alike(loaded.model)
    save_pruned(loaded.model, loaded.tokenizer, structure, tmp_path / "b")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_shards_keep_empty_tensors(family, tmp_path):
    model = structured(family, SLICED)
    save_pruned(model, tiny_tokenizer(), SLICED, tmp_path / "m", shard_size="4KB")
    assert len(list((tmp_path / "m").glob("*.safetensors"))) > 1
    assert torch.equal(logits(load(tmp_path / "m").model), logits(model))


def test_half_precision_round_trip_keeps_the_dtype(family, tmp_path):
    """In place of an older folder, which is replaced whole."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "stale").write_text("x")
    model = structured(family, SLICED)
    for parameter in model.parameters():  # model.half() would also round the rotary frequencies
        parameter.data = parameter.data.half()
    save_pruned(model, tiny_tokenizer(), SLICED, tmp_path / "m")
    assert json.loads((tmp_path / "m" / "config.json").read_text())["dtype"] == "float16"
    assert torch.equal(logits(load(tmp_path / "m", dtype="float16").model), logits(model))
    assert not (tmp_path / "m" / "stale").exists()


@pytest.mark.parametrize(("structure", "tolerance"), [(SLICED, 1e-5), (BIASED, 1e-5), (LOW_RANK, 1e-4)])
@pytest.mark.parametrize("tied", [True, False])
def test_padded_model_is_stock_and_gives_equal_logits(family, structure, tolerance, tied, tmp_path):
    model = structured(family, structure, tie_word_embeddings=tied)
    assert any(isinstance(module, LowRankLinear) for module in model.modules()) == (structure is LOW_RANK)
    if family == "mistral" and structure is BIASED:
        with pytest.raises(SparsitySolverError, match="Mistral has no option for biases"):
            save_padded(model, tiny_tokenizer(), tmp_path / "m")
        assert not (tmp_path / "m").exists()
        return
    save_padded(model, tiny_tokenizer(), tmp_path / "m")
    AutoTokenizer.from_pretrained(tmp_path / "m")
    stock, report = AutoModelForCausalLM.from_pretrained(tmp_path / "m", dtype=torch.float32, output_loading_info=True)
    assert not any(report.values())
    assert "sparsitysolver" not in json.loads((tmp_path / "m" / "config.json").read_text())
    assert (logits(stock.eval()) - logits(model)).abs().max() <= tolerance
    if structure is SLICED:
        assert stock.num_parameters() == tiny_model(family, tie_word_embeddings=tied).num_parameters()
    assert model.config.sparsitysolver == structure


def test_shortcuts_have_no_place_in_a_stock_model(family, tmp_path):
    model = structured(family, rotated_structure(20))
    with pytest.raises(SparsitySolverError, match="shortcuts"):
        save_padded(model, tiny_tokenizer(), tmp_path / "m")
    hidden = adapt(model).hidden_states(torch.from_numpy(tiny_ids(seed=99)).long())  # which go through the adapter
    assert hidden.shape[-1] == 32
    assert torch.equal(model.lm_head(hidden), logits(model))
