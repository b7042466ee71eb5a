"""Layer-by-layer replay gives what the whole forward pass gives."""

import pytest
import torch
from jobs import gram_moments
from tiny import tiny_ids, tiny_model

from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.structure import apply_structure, rotated_structure
from sparsitysolver.pruning.scores import channels_of
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn
from sparsitysolver.statistics.collect import layer_taps
from sparsitysolver.statistics.replay import LayerReplay

IDS = tiny_ids(5, 12, seed=3)


def stream_after(adapter, ids):
    """Outputs of every layer (windows, tokens, hidden) in a whole forward pass."""
    seen = []
    handles = [m.register_forward_hook(lambda _, args, out: seen.append(out)) for m in adapter.layer_modules]
    with torch.no_grad():
        adapter.hidden_states(torch.from_numpy(ids).long())
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("batch_tokens", [1, 24, 4096], ids=["one window", "two windows and a rest", "all at once"])
@pytest.mark.parametrize("rotated", [False, True])
def test_replay_equals_the_forward_pass(family, rotated, batch_tokens):
    model = tiny_model(family)
    if rotated:
        apply_structure(adapt(model), rotated_structure(20))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.2)
        model.eval()
    adapter = adapt(model)
    replay = LayerReplay(adapter, IDS, batch_tokens)
    for index, expected in enumerate(stream_after(adapter, IDS)):
        replay.advance(index)
        assert torch.allclose(torch.cat(replay.hidden), expected, atol=1e-5)
        assert not rotated or batch_tokens < 4096 or torch.equal(torch.cat(replay.hidden), expected)


def test_a_changed_prefix_is_seen(family):
    """Pruning a layer before moving past it gives the later layers the inputs of the pruned model."""
    adapter = adapt(tiny_model(family))
    replay = LayerReplay(adapter, IDS)
    slice_attention(adapter, 0, torch.tensor([0]))
    slice_ffn(adapter, 0, torch.arange(7))
    expected = stream_after(adapter, IDS)
    for index in range(adapter.shape.layers):
        replay.advance(index)
        assert torch.allclose(torch.cat(replay.hidden), expected[index], atol=1e-5)


def test_observed_moments_are_those_of_one_pass(family):
    adapter = adapt(tiny_model(family))
    whole = gram_moments(adapter, IDS)
    replay = LayerReplay(adapter, IDS)
    for index in range(adapter.shape.layers):
        before = torch.cat(replay.hidden).clone()
        observed = replay.observe(index, layer_taps(adapter, index))
        assert torch.equal(torch.cat(replay.hidden), before)
        for tap, moments in observed.items():
            expected = whole[f"layers.{index}.{tap}"]
            assert moments.tokens == expected.tokens == IDS.size
            assert torch.allclose(moments.gram, expected.gram, atol=1e-4)
            assert torch.allclose(moments.mean, expected.mean, atol=1e-5)
        assert not any(module._forward_pre_hooks for module in adapter.model.modules())
        replay.advance(index)


def test_map_changes_every_activation():
    replay = LayerReplay(adapt(tiny_model("llama")), IDS, batch_tokens=12)
    before = torch.cat(replay.hidden)
    replay.map(lambda hidden: 2 * hidden[..., :3])
    assert torch.equal(torch.cat(replay.hidden), 2 * before[..., :3])


@pytest.mark.parametrize("room", [1 << 30, 5000, 0], ids=["all kept", "some batches kept", "nothing kept"])
def test_a_layer_goes_on_from_where_it_stopped(family, room, monkeypatch):
    """The rest of a layer's run, begun at what was kept of its changed projections, is that of a whole run."""
    monkeypatch.setattr("sparsitysolver.statistics.replay.KEPT_BYTES", room)
    adapter = adapt(tiny_model(family))
    replay, plain = LayerReplay(adapter, IDS, 24), LayerReplay(adapter, IDS, 24)
    groups, neurons = torch.tensor([1]), torch.arange(2, 30, 3)
    for index in range(adapter.shape.layers):
        ran = []
        handle = adapter.layers[index].query.register_forward_hook(lambda *_, ran=ran: ran.append(1))
        linears = adapter.layers[index].linears
        replay.observe(index, {"x": linears["attention_output"]}, keep="attention_output")
        slice_attention(adapter, index, groups)
        channels = channels_of(groups, adapter.shape.group_channels)
        replay.narrow("attention_output", channels)
        seen = replay.observe(index, {"x": linears["ffn_output"]}, keep="ffn_output")["x"].gram
        expected = plain.observe(index, {"x": linears["ffn_output"]})["x"].gram
        assert torch.allclose(seen, expected, atol=1e-4)
        slice_ffn(adapter, index, neurons)
        replay.narrow("ffn_output", neurons)
        before = len(ran)
        replay.advance(index)
        assert (len(ran) == before) == (room == 1 << 30)
        handle.remove()
        plain.advance(index)
        assert torch.allclose(torch.cat(replay.hidden), torch.cat(plain.hidden), atol=1e-5)
        assert not any("forward" in vars(module) for module in adapter.model.modules())
