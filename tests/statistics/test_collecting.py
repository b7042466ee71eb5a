"""Statistics of one pass equal those of captured activations; files come back whole or not at all."""

import numpy as np
import pytest
import torch
from jobs import gram_moments
from tiny import tiny_ids, tiny_model

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import adapt
from sparsitysolver.statistics.collect import ALL_TAPS, OUTPUT_TAPS, Moments, collect, load_statistics, save_statistics

IDS = tiny_ids(7, 12, seed=2)


def captured(model, name):
    """Inputs of a module by its own name in the model, over all windows, (tokens, channels)."""
    seen = []
    handle = model.get_submodule(name).register_forward_hook(lambda _, args, out: seen.append(args[0]))
    with torch.no_grad():
        model(torch.from_numpy(IDS).long(), use_cache=False)
    handle.remove()
    return torch.cat(seen).reshape(-1, seen[0].shape[-1]).double()


NAMES = {
    "opt": ("model.decoder.layers.1.self_attn.out_proj", "model.decoder.layers.1.fc2", "model.decoder.layers.1.fc1"),
    "llama": ("model.layers.1.self_attn.o_proj", "model.layers.1.mlp.down_proj", "model.layers.1.mlp.up_proj"),
}


@pytest.mark.parametrize("batch_tokens", [12, 30, 4096])
def test_moments_are_those_of_captured_activations(family, batch_tokens, monkeypatch):
    monkeypatch.setattr("sparsitysolver.statistics.collect.BATCH_TOKENS", batch_tokens)
    model = tiny_model(family)
    statistics = collect(adapt(model), IDS, "weights", "ids", taps=ALL_TAPS)
    names = NAMES.get(family, NAMES["llama"])
    for tap, name in zip(("attention_output", "ffn_output", "ffn_input"), names, strict=True):
        inputs, moments = captured(model, name), statistics.of(1, tap)
        assert moments.tokens == statistics.tokens == IDS.size
        assert torch.allclose(moments.squares, inputs.square().sum(dim=0), rtol=1e-4)
        assert torch.allclose(moments.total, inputs.sum(dim=0), atol=1e-3)
        gram = gram_moments(adapt(model), IDS)[f"layers.1.{tap}"].gram
        assert torch.allclose(gram, inputs.T @ inputs, atol=1e-3)


def test_collecting_changes_nothing(family):
    model = tiny_model(family)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    statistics = collect(adapt(model), IDS, "weights", "ids")
    assert set(statistics.moments) == {f"layers.{i}.{tap}" for i in range(3) for tap in OUTPUT_TAPS}
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_file_round_trip(tmp_path):
    statistics = collect(adapt(tiny_model("opt")), IDS, "weights", "ids")
    path = tmp_path / "deep" / "stats.safetensors"
    save_statistics(statistics, path)
    loaded = load_statistics(path, "weights", "ids")
    assert (loaded.key, loaded.tokens) == (statistics.key, IDS.size)
    assert loaded.moments.keys() == statistics.moments.keys()
    for name, moments in statistics.moments.items():
        other = loaded.moments[name]
        assert torch.equal(other.total, moments.total) and torch.equal(other.squares, moments.squares)
        assert torch.equal(other.variance, moments.variance)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "stats.safetensors"
    save_statistics(collect(adapt(tiny_model("opt")), IDS, "weights", "ids"), path)
    return path


def test_files_of_something_else(stored):
    for weights, ids, named in (("others", "ids", "another model"), ("weights", "others", "other ids")):
        with pytest.raises(SparsitySolverError, match=f"{stored} was made from {named}.*others needed; run calib"):
            load_statistics(stored, weights, ids)
    for content in (stored.read_bytes()[:-100], b"no safetensors"):
        stored.write_bytes(content)
        with pytest.raises(SparsitySolverError, match=f"statistics file {stored} is not whole"):
            load_statistics(stored, "weights")
    stored.unlink()
    with pytest.raises(SparsitySolverError, match=f"no statistics file at {stored}"):
        load_statistics(stored, "weights")


def test_the_content_key_names_weights_and_ids():
    keys = {collect(adapt(tiny_model("opt")), IDS, w, i).key for w in ("a", "b") for i in ("a", "b")}
    assert len(keys) == 4


# --- moments ---------------------------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 11, 5))
FLAT = X.reshape(-1, 5)


def moments_in_parts(gram=False):
    moments = Moments(want_gram=gram)
    for part in (X[:1], X[1:3], X[3:]):
        moments.add(torch.from_numpy(part))
    return moments


def test_sums_over_parts_are_those_of_the_whole():
    moments = moments_in_parts(gram=True)
    assert moments.tokens == 44 and moments_in_parts().gram is None and moments.cpu().gram is None
    assert np.allclose(moments.total, FLAT.sum(axis=0))
    assert np.allclose(moments.squares, (FLAT**2).sum(axis=0))
    assert np.allclose(moments.gram, FLAT.T @ FLAT)
    assert np.allclose(moments.norm, np.linalg.norm(FLAT, axis=0))
    assert np.allclose(moments.mean, FLAT.mean(axis=0))
    assert np.allclose(moments.variance, FLAT.var(axis=0, ddof=1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_sums_are_kept_in_double_precision(dtype):
    """10,000 ones and a float16 sum would stop at 2048; squares of 300 would overflow it."""
    moments = Moments(want_gram=True)
    moments.add(torch.full((10_000, 1), 300.0, dtype=dtype))
    value = float(torch.tensor(300.0, dtype=dtype))
    assert moments.total.item() == 10_000 * value
    assert moments.squares.item() == moments.gram.item() == 10_000 * value**2


def test_variance_of_a_constant_or_a_single_token_is_zero():
    for tokens in (1, 50):
        moments = Moments()
        moments.add(torch.full((tokens, 2), 0.1, dtype=torch.float64))
        assert moments.variance.tolist() == pytest.approx([0, 0], abs=1e-12)
        assert (moments.variance >= 0).all()


@pytest.mark.parametrize("spread", [0, 4], ids=["alike", "channels of 1e-4 to 1e4"])
@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_float32_blocks_give_the_gram_matrix_of_float64(spread, mean):
    """Also of inputs that all lean one way; 300 channels make two strips, 2,500 tokens several blocks."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(mean, 1, size=(2500, 300)) @ np.diag(np.logspace(-spread, spread, 300))
    moments = Moments(want_gram=True)
    for part in torch.from_numpy(inputs).float().split([1700, 800]):
        moments.add(part)
    wide = inputs.astype(np.float32).astype(float)
    exact = wide.T @ wide
    scale = np.sqrt(np.outer(exact.diagonal(), exact.diagonal()))
    assert (np.abs(moments.gram.numpy() - exact) <= 1e-6 * scale).all()
    assert torch.equal(moments.gram, moments.gram.T) and moments.gram.dtype == torch.float64
