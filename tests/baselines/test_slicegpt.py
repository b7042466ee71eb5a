"""SliceGPT: exact without slicing, orthogonal rotations, known widths and parameter counts."""

import pytest
import torch
from jobs import job_for
from tiny import assert_generates_alike, left_padded, logits, tiny_ids, tiny_model
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, OPTConfig

from baselines import slicegpt
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.adapter import adapt, adapter_class
from sparsitysolver.models.published import published_model
from sparsitysolver.models.structure import RMSN_EPS, RotatedNorm, apply_structure, rotated_structure
from sparsitysolver.pruning.rotation import centre_outputs, fold_gain, principal_components
from sparsitysolver.pruning.widths import (
    matched_width,
    removed_fraction,
    rounding_interval,
    sliced_width,
    stored_parameters,
    stored_weights,
)

OPT_125M = {"vocab_size": 50272, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
LLAMA_7B = {"vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}


def test_norm_by_hand():
    # √((9 + 16) / 5 + 1e-5) with two of five channels left
    result = RotatedNorm(5)(torch.tensor([[3.0, 4.0]]))
    assert torch.allclose(result, torch.tensor([[3.0, 4.0]]) / (5 + RMSN_EPS) ** 0.5)


def test_norm_and_fold_equal_layer_norm_of_a_centred_stream():
    torch.manual_seed(0)
    norm, linear = torch.nn.LayerNorm(6), torch.nn.Linear(6, 4)
    torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
    stream = torch.randn(9, 6)
    weight, bias = fold_gain(linear.weight, linear.bias, norm.weight, norm.bias)
    centred = centre_outputs(stream.T).T.float()
    folded = RotatedNorm(6)(centred) @ weight.T.float() + bias.float()
    assert torch.allclose(folded, linear(norm(stream)), atol=1e-6)
    weight, bias = fold_gain(torch.ones(2, 3), None, torch.tensor([1.0, 2.0, 3.0]), None)
    assert bias is None and weight.tolist() == [[1, 2, 3], [1, 2, 3]]


def test_principal_components_are_orthogonal_and_sorted():
    torch.manual_seed(0)
    inputs = torch.randn(200, 8, dtype=torch.double) * torch.arange(1, 9)
    rotation = principal_components(inputs.T @ inputs)
    assert torch.allclose(rotation.T @ rotation, torch.eye(8, dtype=torch.double), atol=1e-12)
    energy = (inputs @ rotation).square().sum(dim=0)
    assert (energy[:-1] >= energy[1:]).all()


@pytest.mark.parametrize(
    ("hidden", "slicing", "width"),
    [(4096, 0.2, 3272), (5120, 0.2, 4096), (768, 0.2, 608), (2048, 0.2, 1632), (2560, 0.2, 2048), (128, 0.2, 102)],
)
def test_widths(hidden, slicing, width):
    assert sliced_width(hidden, slicing) == width
    assert (rounding_interval(511), rounding_interval(512)) == (1, 8)


@pytest.mark.parametrize(
    ("key", "config", "width", "parameters"),
    [
        ("opt-125m", OPTConfig(ffn_dim=3072, word_embed_proj_dim=768, **OPT_125M), 608, 147_250_880),
        ("llama-7b", LlamaConfig(intermediate_size=11008, **LLAMA_7B), 3272, 6.106e9),
        ("mistral-7b", MistralConfig(intermediate_size=14336, num_key_value_heads=8, **LLAMA_7B), 3272, 6.51e9),
    ],
)
def test_sliced_models_have_the_published_number_of_parameters(key, config, width, parameters):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        apply_structure(adapt(model), rotated_structure(width))
    adapter = adapt(model)
    assert stored_parameters(published_model(key), width) == sum(p.numel() for p in model.parameters())
    assert stored_parameters(published_model(key), width) == pytest.approx(
        parameters, rel=0 if key == "opt-125m" else 1e-3
    )
    linears = [*adapter.shortcuts, *(linear for _, linear in adapter.prunable_linears())]
    assert sum(linear.weight.numel() for linear in linears) == stored_weights(adapter.shape, width)


def test_a_fifth_of_the_weights_needs_more_than_a_fifth_of_the_width():
    shape = adapter_class(config := LlamaConfig(intermediate_size=11008, **LLAMA_7B)).shape_of(config)
    width = matched_width(shape, 0.2)
    assert width % 8 == 0
    assert 0.68 < width / 4096 < 0.75
    gaps = {other: abs(removed_fraction(shape, other) - 0.2) for other in (width - 8, width, width + 8)}
    assert min(gaps, key=gaps.get) == width


@pytest.mark.parametrize("tied", [True, False])
def test_folding_changes_no_logits(family, tied):
    model = tiny_model(family, tie_word_embeddings=tied)
    dense, adapter = logits(model), adapt(model)
    slicegpt.untie_head(adapter)
    slicegpt.fold_norms(adapter)
    assert (logits(model) - dense).abs().max() <= 1e-4


@pytest.mark.parametrize("tied", [True, False])
def test_full_width_equals_the_dense_model(family, tied):
    model = tiny_model(family, tie_word_embeddings=tied)
    ids, mask = left_padded(tiny_ids(seed=99))
    dense, padded = logits(model), logits(model, ids, mask)
    outcome = slicegpt.prune(job_for(model, 0.001, options={"match_parameters": "no"}), None)
    assert outcome.structure["width"] == 31  # (1 - 0.001) * 32 rounds down
    model = tiny_model(family, tie_word_embeddings=tied)
    outcome = slicegpt.prune(job_for(model, 0.0), None)
    assert outcome.structure["width"] == 32
    assert (logits(model) - dense).abs().max() <= 1e-4
    real = mask.bool()
    assert (logits(model, ids, mask) - padded)[real].abs().max() <= 1e-4


@pytest.mark.parametrize("biases", [{}, {"attention_bias": True, "mlp_bias": True}])
def test_an_unsliced_model_is_the_dense_one_and_its_shortcuts_are_orthogonal(family, biases):
    model = tiny_model(family, **(biases if family == "llama" else {}))
    dense = logits(model)
    slicegpt.prune(job_for(model, 0.0), None)
    assert (logits(model) - dense).abs().max() <= 1e-4
    for shortcut in adapt(model).shortcuts:
        assert torch.allclose(shortcut.weight @ shortcut.weight.T, torch.eye(32), atol=1e-5)


def test_stream_that_needs_fewer_channels_is_sliced_exactly():
    """A LLaMA whose layers and embeddings live in 20 channels loses nothing at width 20."""
    model = tiny_model("llama")
    basis = torch.linalg.qr(torch.randn(32, 20)).Q
    adapter = adapt(model)
    table = adapter.embeddings[0]
    table.weight.copy_(table.weight @ basis @ basis.T)
    for layer in adapter.layers:
        for linear in (layer.attention_output, layer.ffn_output):
            linear.weight.copy_(basis @ basis.T @ linear.weight)
    dense = logits(model)
    outcome = slicegpt.prune(job_for(model, 0.375), None)
    assert outcome.structure["width"] == 20
    assert (logits(model) - dense).abs().max() <= 1e-4


@pytest.mark.parametrize("matched", ["yes", "no"])
def test_facts_are_what_is_stored(family, matched):
    model = tiny_model(family)
    dense = model.num_parameters()
    tied = model.config.tie_word_embeddings
    job = job_for(model, 0.25, options={"match_parameters": matched})
    facts = slicegpt.prune(job, None).facts
    size = measure_size(job.adapter)
    assert facts["removed_fraction"] == pytest.approx(size.sparsity)
    assert facts["parameters_to_dense"] == pytest.approx(size.parameters / dense)
    assert facts["untied_head_parameters"] == (50 * 32 if tied else 0)
    assert facts["head_bias_parameters"] == (50 if family == "opt" else 0)
    assert facts["shortcut_parameters"] > 0
    if matched == "yes":
        assert abs(size.sparsity - 0.25) < 0.05
    assert_generates_alike(model)


def test_widths_that_leave_nothing_are_skipped(family):
    assert "leaves none" in slicegpt.skip(job_for(tiny_model(family), 0.99))
    assert slicegpt.skip(job_for(tiny_model(family), 0.2)) is None
    reason = slicegpt.skip(job_for(tiny_model(family), 0.999, options={"match_parameters": "yes"}))
    assert "no width removes 0.999" in reason
