"""Families beyond the paper's, each with something that LLaMA has not: one contract for all of them."""

import pytest
import torch
from jobs import job_for, prune_and_reload
from new_families import CONFIGS, random_model
from tiny import VOCABULARY, logits, tiny_ids, tiny_tokenizer
from transformers import AutoModelForCausalLM, MixtralConfig, PretrainedConfig

from baselines import slicing
from sparsitysolver.config.registry import SEARCHING, ModelRow, method, methods_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.models import published
from sparsitysolver.models.adapter import adapt, adapter_class, family_class
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.saving import save_padded
from sparsitysolver.models.structure import CONFIG_FIELD
from sparsitysolver.pruning.scores import score_units
from sparsitysolver.search.engines import PrefixEngine
from sparsitysolver.statistics.collect import collect
from sparsitysolver.statistics.replay import LayerReplay

# Of rows that differ in their search alone, which these tests leave out, one.
METHODS = {
    (row.pruner, row.options, "" if row.allocator == SEARCHING else row.allocator): row.key
    for row in reversed(methods_table().values())
}.values()


@pytest.fixture(params=CONFIGS)
def name(request):
    return request.param


@pytest.fixture
def folder(name, tmp_path):
    random_model(name).save_pretrained(tmp_path / name)
    tiny_tokenizer().save_pretrained(tmp_path / name)
    return tmp_path / name


def test_a_loaded_model_is_the_stock_one(name, folder):
    loaded = load_model(str(folder), device="cpu")
    assert loaded.adapter.shape.family == name
    assert torch.allclose(logits(loaded.model), logits(random_model(name)), atol=1e-5)
    ids = torch.from_numpy(tiny_ids(2, 16)).long()
    expected = torch.nn.functional.cross_entropy(
        loaded.model(ids).logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none"
    ).mean(dim=1)
    assert torch.allclose(torch.from_numpy(window_losses(loaded.adapter, ids)).float(), expected, atol=1e-5)


def test_replay_equals_the_forward_pass(name):
    adapter = adapt(random_model(name))
    ids = tiny_ids(4, 16)
    states = adapter.model(torch.from_numpy(ids).long(), output_hidden_states=True).hidden_states
    replay = LayerReplay(adapter, ids, batch_tokens=32)
    for index in range(adapter.shape.layers):
        replay.advance(index)
        if index < adapter.shape.layers - 1:  # behind the last stands the norm
            assert torch.allclose(torch.cat(replay.hidden), states[index + 1], atol=1e-5)


@pytest.mark.parametrize("key", METHODS)
def test_methods_prune_save_and_load(name, folder, key, tmp_path):
    loaded = load_model(str(folder), device="cpu")
    if key.startswith("slicegpt") and name.startswith("gemma"):
        assert "gains cannot be folded" in loaded.adapter.unrotatable()
        return
    again = prune_and_reload(method(key), loaded.model, 0.25, tmp_path / "pruned")[1]
    if key in ("uniform", "svd_llm", "wanda"):
        save_padded(again.model, again.tokenizer, tmp_path / "padded")
        stock = AutoModelForCausalLM.from_pretrained(tmp_path / "padded", dtype=torch.float32)
        assert torch.allclose(logits(stock), logits(again.model), atol=1e-3)


@pytest.mark.parametrize("kept", [[1, 20, 2, 44, 1, 7], [0, 3, 2, 0, 1, 44], [0] * 6])
def test_pruned_equals_masked_under_padding_and_with_every_cache(name, folder, kept, tmp_path):
    loaded = load_model(str(folder), device="cpu")
    job = job_for(loaded.model, ids=tiny_ids())
    outcome = slicing.prune(job, kept)
    loaded.model.config.update({CONFIG_FIELD: outcome.structure})
    save_padded(loaded.model, loaded.tokenizer, tmp_path / "padded")
    masked = AutoModelForCausalLM.from_pretrained(tmp_path / "padded", dtype=torch.float32)
    assert sum(p.numel() for p in masked.parameters()) > sum(p.numel() for p in loaded.model.parameters())
    ids = torch.from_numpy(tiny_ids(2, 9)).long()
    attended = torch.ones_like(ids)
    attended[0, :4] = 0
    found, expected = (model(ids, attention_mask=attended).logits for model in (loaded.model, masked))
    torch.testing.assert_close(found[attended.bool()], expected[attended.bool()], atol=1e-4, rtol=1e-4)
    ways = ({}, {"use_cache": False}, {"cache_implementation": "static"})
    made = [
        model.generate(ids, attention_mask=attended, max_new_tokens=6, do_sample=False, **how).tolist()
        for model in (loaded.model, masked)
        for how in ways
    ]
    assert made == [made[0]] * len(made)


@pytest.mark.parametrize("kept", [[1, 20, 2, 44, 1, 7], [0, 3, 2, 0, 1, 44], [0] * 6])
def test_a_candidate_of_a_search_is_the_sliced_model(name, kept):
    adapter, ids = adapt(random_model(name)), torch.from_numpy(tiny_ids(4, 16)).long()
    engine = PrefixEngine(adapter, score_units(adapter, collect(adapter, tiny_ids(), "weights", "ids"), "l2"))
    engine.losses([2, 44] * 3, ids)
    found = engine.losses(kept, ids)
    job = job_for(random_model(name), ids=tiny_ids())
    slicing.prune(job, kept)
    assert abs(found - window_losses(job.adapter, ids)).max() < 1e-5


def test_parameters_of_published_models_are_counted(name, monkeypatch):
    if name == "llama":
        pytest.skip("this one is tied, and published LLaMA models are not")
    adapter, model = adapt(random_model(name)), random_model(name)
    sizes = {"layers": 3, "hidden": 32, "heads": 4, "kv_heads": 2, "head_dim": 8, "ffn": 44}
    row = ModelRow(key=name, family=name, hub_id="org/it", parameters=model.num_parameters(), **sizes)
    monkeypatch.setattr(published, "models_table", lambda: {name: row})
    found = published.published_model(name)
    assert (found.vocabulary, found.shape) == (VOCABULARY, adapter.shape)


def test_a_family_without_a_file_is_unknown():
    with pytest.raises(SparsitySolverError, match="unknown model family 'lama'; did you mean llama"):
        family_class("lama")


def test_configs_of_other_families_are_refused_with_what_to_do():
    with pytest.raises(SparsitySolverError, match="a 'mixtral' with 8 experts is not supported: .* Give a dense model"):
        adapter_class(MixtralConfig(num_local_experts=8))
    with pytest.raises(SparsitySolverError, match="unknown model family 'qwen'; did you mean qwen.*one file"):
        adapter_class(type("Config", (PretrainedConfig,), {"model_type": "qwen"})())
