"""Checkpoints that load and are wrong all the same: quantised, of another architecture, or not finite."""

import pytest
import torch
from checkpoints import change_config, change_weights, load, refused, saved
from tiny import logits

from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import load_chat_model
from sparsitysolver.models.source import resolve_model

# --- quantised ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes", "fp8", "compressed-tensors", "a-new-one"])
def test_quantised_checkpoints_by_their_config(folder, method):
    change_config(folder, quantization_config={"quant_method": method, "bits": 4, "load_in_4bit": True})
    message = refused(folder)
    assert f"the checkpoint in {folder} is quantised (config.json: {method})" in message
    assert "give the one that it was made from, in float32, float16 or bfloat16" in message


@pytest.mark.parametrize("part", ["qweight", "weight_scale_inv", "weight_packed", "weight.absmax", "SCB"])
def test_quantised_checkpoints_by_their_tensors(folder, part):
    name = f"model.layers.0.self_attn.q_proj.{part}"
    change_weights(folder, lambda state: state.update({name: torch.zeros(4, 4)}))
    assert f"is quantised (tensor {name})" in refused(folder)


def test_a_package_that_is_not_there(folder):
    change_config(folder, attn_implementation="flash_attention_2")
    message = refused(folder)
    assert "FlashAttention2" in message and '"attn_implementation" in config.json asks for one' in message


# --- another architecture -------------------------------------------------------------------------------------------


def test_biases_that_the_config_does_not_announce(tmp_path):
    """Left out, they change every number."""
    saved(tmp_path, "llama", attention_bias=True, mlp_bias=True)
    load(tmp_path)
    change_config(tmp_path, attention_bias=False)
    message = refused(tmp_path)
    assert "12 tensors that the llama of its config.json has no place for" in message
    assert "model.layers.0.self_attn.k_proj.bias, " in message and '"attention_bias": true' in message
    assert "mlp_bias" not in message
    change_config(tmp_path, mlp_bias=False)
    assert '"attention_bias": true (biases on q, k, v and o) and "mlp_bias": true' in refused(tmp_path)


def test_biases_of_which_only_some_are_there(folder):
    def add(state):
        for layer in range(3):
            for role in "qkv":
                state[f"model.layers.{layer}.self_attn.{role}_proj.bias"] = torch.ones(32)

    change_weights(folder, add)
    assert "9 tensors" in refused(folder)
    change_config(folder, attention_bias=True)
    assert "3 tensors are missing, model.layers.0.self_attn.o_proj.bias among them" in refused(folder)


@pytest.mark.parametrize(
    ("setting", "word"),
    [("enable_bias", "0.fc1.bias"), ("layer_norm_elementwise_affine", "final_layer_norm.bias")],
)
def test_what_an_opt_does_not_announce(tmp_path, setting, word):
    saved(tmp_path, "opt")
    change_config(tmp_path, **{setting: False})
    message = refused(tmp_path)
    assert f'What announces them is "{setting}": true' in message and word in message


def test_what_no_setting_announces_and_more_layers_than_the_config_says(folder, tmp_path):
    mistral = saved(tmp_path / "mistral", "mistral")
    change_weights(mistral, lambda state: state.update({"model.layers.0.self_attn.q_proj.bias": torch.ones(32)}))
    assert "1 tensor that the mistral of its config.json has no place for" in (message := refused(mistral))
    assert "No setting of this architecture announces them" in message
    change_config(folder, num_hidden_layers=2)
    message = refused(folder)
    assert "model.layers.2.input_layernorm.weight" in message and '"num_hidden_layers" (now 2)' in message


def test_a_head_that_the_config_ties_away(folder):
    change_config(folder, tie_word_embeddings=True)
    assert 'Set "tie_word_embeddings": false' in refused(folder)
    change_weights(folder, lambda state: state.update({"lm_head.weight": state["model.embed_tokens.weight"].clone()}))
    loaded = load(folder)
    assert torch.equal(loaded.adapter.lm_head.weight, loaded.adapter.embeddings[0].weight)


def test_tensors_that_a_model_does_without(folder, tmp_path):
    """Rotary frequencies follow from the config; fairseq's version is no weight; a removed norm is removed."""
    expected = logits(load(folder).model)
    names = [f"model.layers.{layer}.self_attn.rotary_emb" for layer in range(3)]
    buffers = {f"{name}.{buffer}": torch.ones(4) for name in names for buffer in ("inv_freq", "cos_cached")}
    change_weights(folder, lambda state: state.update(buffers))
    assert torch.equal(logits(load(folder).model), expected)
    opt = saved(tmp_path / "opt", "opt")
    expected = logits(load(opt).model)
    change_weights(opt, lambda state: state.update({"model.decoder.version": torch.tensor([3.0])}))
    assert torch.equal(logits(load(opt).model), expected)
    change_config(opt, _remove_final_layer_norm=True)
    assert not torch.equal(logits(load(opt).model), expected)


# --- not finite -----------------------------------------------------------------------------------------------------

NAME = "model.layers.1.mlp.down_proj.weight"


@pytest.mark.parametrize(
    ("value", "word"),
    [(float("nan"), "1 NaN and 0 infinite"), (float("inf"), "0 NaN and 1 inf"), (-float("inf"), "0 NaN and 1 inf")],
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_one_weight_that_is_not_finite(folder, value, word, dtype):
    change_config(folder, dtype=dtype)

    def spoil(state):
        state.update({name: tensor.to(getattr(torch, dtype)) for name, tensor in state.items()})
        state[NAME][-1, -1] = value

    change_weights(folder, spoil)
    for options in ({}, {"dtype": dtype}):
        message = refused(folder, **options)
        assert f"the checkpoint in {folder} is broken: tensor {NAME} holds {word}" in message
        assert "other tensors" not in message and "dtype" not in message
    with pytest.raises(SparsitySolverError, match="is broken: tensor"):
        load_chat_model(resolve_model(str(folder), Assets(None)), "cpu", "auto")


def test_weights_beyond_float16_and_several_tensors_that_are_not_finite(folder):
    """The checkpoint is sound, the precision asked for is not enough for it."""
    change_weights(folder, lambda state: state[NAME].index_put_((torch.tensor(0), torch.tensor(0)), torch.tensor(1e5)))
    load(folder)
    load(folder, dtype="bfloat16")
    message = refused(folder, dtype="float16")
    assert f"1 weights of {NAME}" in message and "beyond what float16 holds" in message and "--dtype" in message
    for name in (NAME, "model.norm.weight", "lm_head.weight"):
        change_weights(folder, lambda state, name=name: state[name].fill_(torch.nan))
    assert "holds 1408 NaN and 0 infinite values, and so do 2 other tensors" in refused(folder)
