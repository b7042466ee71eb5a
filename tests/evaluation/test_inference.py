"""What inference costs: caches that change nothing, phases timed in turn, memory at its peak, and honest intervals."""

import gc
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import tiny_folder, tiny_ids, tiny_model

from sparsitysolver import timing
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation import inference
from sparsitysolver.evaluation.inference import (
    Contestant,
    Workload,
    check_cache,
    decode,
    held_bytes,
    interleave,
    peak_bytes,
    prefill,
    speed,
    speedup,
)
from sparsitysolver.models.adapter import adapt
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.structure import ZeroAttention, apply_structure, low_rank_structure, rotated_structure
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn

WORKLOAD = Workload(batch=2, prompt_tokens=8, new_tokens=5)
STEPS = 8
PROMPT = torch.from_numpy(tiny_ids(3, 10, seed=5)).long()
MIB = 2**20


def sliced(model, groups):
    """The first so many groups of every layer, and 20 neurons."""
    adapter = adapt(model)
    for index, count in enumerate(groups):
        slice_attention(adapter, index, torch.arange(count))
        slice_ffn(adapter, index, torch.arange(20))
    return model


def shaped(model, structure):
    """A model of some structure with random values."""
    apply_structure(adapt(model), structure)
    torch.manual_seed(3)
    for parameter in model.parameters():
        parameter.data.normal_(std=0.2)
    return model.eval().requires_grad_(False)


PRUNED = {
    "dense": lambda model: model,
    "sliced": lambda model: sliced(model, (1, 2, 1)),
    "first layer without attention": lambda model: sliced(model, (0, 1, 2)),
    "low rank": lambda model: shaped(model, low_rank_structure({n: 5 for n, _ in adapt(model).prunable_linears()})),
    "rotated": lambda model: shaped(model, rotated_structure(24)),
}


@torch.no_grad()
def without_cache(model, prompt, steps):
    """Greedy tokens, every one from a forward pass over all that stands before it."""
    text = prompt
    for _ in range(steps):
        token = model(input_ids=text, use_cache=False).logits[:, -1].argmax(dim=-1, keepdim=True)
        text = torch.cat([text, token], dim=1)
    return text[:, prompt.shape[1] :]


@pytest.mark.parametrize("case", PRUNED)
def test_both_phases_generate_greedily(family, case):
    model = PRUNED[case](tiny_model(family))
    cache, logits = prefill(model, PROMPT)
    assert cache.get_seq_length() == 10
    assert torch.equal(decode(model, cache, logits, STEPS), without_cache(model, PROMPT, STEPS))
    assert cache.get_seq_length() == 10 + STEPS
    check = check_cache(model, PROMPT, STEPS, "float32", "m")
    assert (check["tokens"], check["different"]) == (3 * (STEPS + 1), 0)
    assert check["distance"] < 1e-4


def test_a_first_layer_that_does_not_count_its_tokens_is_found_out(monkeypatch):
    """The silent fault of an attention without heads: positions and masks are read off the first layer's cache."""

    def forward(self, hidden_states, past_key_values=None, **_):
        nothing = hidden_states.new_zeros(*hidden_states.shape[:-1], 0)
        return getattr(self, self.output_name)(nothing), None

    monkeypatch.setattr(ZeroAttention, "forward", forward)
    for family in ("opt", "llama"):
        model = sliced(tiny_model(family), (0, 1, 2))
        with pytest.raises(SparsitySolverError, match="m generates other tokens with a cache.*from token 2 of 9"):
            check_cache(model, PROMPT, STEPS, "float32", "m")


def test_a_cache_that_forgets_is_found_out(family, monkeypatch):
    honest = inference.step

    def forgetful(model, cache, token):
        cache.layers[0].values[:, :, 3].zero_()
        return honest(model, cache, token)

    monkeypatch.setattr(inference, "step", forgetful)
    with pytest.raises(SparsitySolverError, match="standard deviations apart"):
        check_cache(tiny_model(family), PROMPT, 3, "float32", "m")


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_rounding_in_low_precision_is_allowed(name, family):
    check = check_cache(tiny_model(family).to(getattr(torch, name)), PROMPT, STEPS, name, "m")
    assert 0 < check["distance"] < inference.TOLERANCES[name]


def test_logits_that_are_not_finite(family):
    model = tiny_model(family)
    model.get_output_embeddings().weight.data[7] = torch.nan
    with pytest.raises(SparsitySolverError, match="not finite. Try another dtype"):
        check_cache(model, PROMPT, STEPS, "float32", "m")


def contestant(name, log, cost):
    """Stands for a model that takes ``cost`` seconds to prefill and three times that to decode."""
    return SimpleNamespace(generate=lambda: log.append(name) or (cost, 3 * cost))


def loaded(family="llama"):
    return load_model(str(tiny_folder(family)), device="cpu")


@pytest.mark.parametrize("rounds", [1, 2])
def test_every_round_measures_every_model_and_the_order_changes(rounds):
    log = []
    dense, pruned = interleave([contestant("dense", log, 2.0), contestant("pruned", log, 1.0)], rounds)
    assert log == ["dense", "pruned", "pruned", "dense"][: 2 * rounds]
    assert (dense["prefill"], pruned["prefill"], dense["decode"]) == ([2.0] * rounds, [1.0] * rounds, [6.0] * rounds)


def test_phases_are_timed_apart(monkeypatch):
    ready, passed = Contestant(loaded(), WORKLOAD), []
    forward = ready.model.forward

    def slow(*args, **kwargs):
        passed.append(10.0 if kwargs.get("past_key_values") is None else 1.0)
        return forward(*args, **kwargs)

    monkeypatch.setattr(timing, "perf_counter", lambda: sum(passed))  # time passes in forward passes only
    monkeypatch.setattr(ready.model, "forward", slow)
    assert ready.generate() == (10.0, 5.0)


def test_tokens_per_second_are_those_of_the_median_round():
    measured = speed({"prefill": [2.0, 1.0, 4.0], "decode": [8.0, 2.0, 4.0]}, Workload(3, 10, 4))
    assert measured["prefill"] == {"seconds": 2.0, "tokens_per_second": 15.0}
    assert measured["decode"] == {"seconds": 4.0, "tokens_per_second": 3.0}


def test_a_sliced_model_is_smaller_in_every_respect(family):
    dense, pruned = loaded(family), loaded(family)
    for index in range(3):
        slice_attention(pruned.adapter, index, torch.arange(1))
        slice_ffn(pruned.adapter, index, torch.arange(10))
    before, after = (Contestant(one, WORKLOAD).facts for one in (dense, pruned))
    for name in ("parameters", "bytes", "nonzeros"):
        assert after["size"][name] < before["size"][name]
    assert after["peak_memory_bytes"] < before["peak_memory_bytes"]
    cache, _ = prefill(dense.model, WORKLOAD.prompt(50))
    weights_and_cache = held_bytes(dense.model) + sum(2 * layer.keys.numel() * 4 for layer in cache.layers)
    assert weights_and_cache < before["peak_memory_bytes"] < weights_and_cache + 200_000  # and activations


def test_prompts_are_the_same_for_every_model_and_seed():
    prompt = WORKLOAD.prompt(50)
    assert prompt.shape == (2, 8) and prompt.min() >= 0 and prompt.max() < 50
    assert torch.equal(prompt, WORKLOAD.prompt(50))
    assert not torch.equal(prompt, Workload(2, 8, 5, seed=1).prompt(50))


def test_a_model_that_does_not_fit_on_the_gpus_is_refused():
    one = loaded()
    one.device = "cuda"
    with pytest.raises(SparsitySolverError, match=r"does not fit on cuda beside.*tensors lie on cpu. Give more GPUs"):
        Contestant(one, WORKLOAD)


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        (Workload(0, 8, 5), "batch 0 asked for; at least 1"),
        (Workload(1, 0, 5), "prompt tokens 0"),
        (Workload(1, 8, 0), "new tokens 0"),
        (Workload(1, 60, 5), "60 prompt tokens and 5 new ones asked for; m takes at most 64 together"),
    ],
)
def test_workloads_that_cannot_be_measured(workload, words):
    with pytest.raises(SparsitySolverError, match=words):
        workload.check(64, "m")
    Workload(1, 59, 5).check(64, "m")


def one_after_the_other():
    """Holds 3 MiB, then 1 MiB, then 3 MiB again, 5 MiB at most."""
    first = torch.empty(3 * MIB, dtype=torch.uint8)
    del first
    second = torch.empty(MIB // 4)
    third = torch.empty(MIB, dtype=torch.float16)
    fourth = torch.empty(2 * MIB, dtype=torch.uint8)
    del fourth
    return second, third


def test_most_bytes_at_a_time_beyond_what_lies_in_memory_already():
    model, others = tiny_model("llama"), [torch.empty(8 * MIB)]
    gc.collect()
    assert peak_bytes(model, one_after_the_other) == held_bytes(model) + 5 * MIB
    assert len(others) == 1


def test_tied_weights_are_held_once_and_buffers_too():
    tied, untied = (tiny_model("llama", tie_word_embeddings=tie) for tie in (True, False))
    assert held_bytes(untied) - held_bytes(tied) == 50 * 32 * 4
    inside = sum(buffer.numel() * buffer.element_size() for buffer in tied.buffers())
    assert inside > 0
    assert held_bytes(tied) == inside + 4 * sum(p.numel() for p in tied.parameters())


def test_gpus_are_counted_by_their_own_counters(monkeypatch):
    """Two devices that hold 100 and 30 bytes of other models before, and 170 and 45 at their peaks."""
    calls, held, peaks = [], [100, 30], [170, 45]
    fake = {
        "is_initialized": lambda: True,
        "device_count": lambda: 2,
        "synchronize": lambda device: calls.append(("synchronize", device)),
        "memory_allocated": lambda device: held[device],
        "reset_peak_memory_stats": lambda device: calls.append(("reset", device)),
        "max_memory_allocated": lambda device: peaks[device],
    }
    for name, function in fake.items():
        monkeypatch.setattr(torch.cuda, name, function)
    parameter = SimpleNamespace(is_cuda=True, numel=lambda: 3, element_size=lambda: 2)
    model = SimpleNamespace(parameters=lambda: [parameter], buffers=list)
    assert peak_bytes(model, lambda: calls.append("work")) == 6 + 70 + 15
    both = [("synchronize", 0), ("synchronize", 1)]
    assert calls == [*both, ("reset", 0), ("reset", 1), "work", *both]


def test_time_stops_only_when_every_gpu_in_use_is_done(monkeypatch):
    calls, held = [], [10, 20, 0]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: held[device])
    monkeypatch.setattr(torch.cuda, "synchronize", calls.append)
    monkeypatch.setattr(timing, "perf_counter", lambda: calls.append("clock") or float(len(calls)))
    result, seconds = timing.timed(lambda: calls.append("work") or "done")
    assert calls == [0, 1, "clock", "work", 0, 1, "clock"]
    assert (result, seconds) == ("done", 4.0)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_and_is_then_as_before(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(KeyError), timing.no_collector():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.parametrize(
    ("count", "rank", "coverage"),
    [
        (1, 1, 0),
        (2, 1, 0.5),
        (5, 1, 0.9375),
        (6, 1, 0.96875),
        (9, 2, 0.9609375),
        (10, 2, 0.978515625),
        (20, 6, 0.958610534667969),
    ],
)
def test_ranks_of_small_samples(count, rank, coverage):
    measured = speedup(range(1, count + 1), [1] * count)
    assert (measured["low"], measured["high"]) == (rank, count + 1 - rank)
    assert measured["coverage"] == pytest.approx(coverage)


def test_ratios_are_taken_round_by_round():
    measured = speedup([2.0, 4.0, 6.0], [1.0, 4.0, 2.0])
    assert measured == {"value": 2.0, "low": 1.0, "high": 3.0, "coverage": 0.75}
    assert speedup([3.0], [2.0])["value"] == 1.5
    with pytest.raises(ValueError, match="shorter"):
        speedup([1.0, 2.0], [1.0])


def test_the_interval_holds_the_median_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        ratios = rng.lognormal(mean=math.log(1.3), sigma=0.4, size=10)
        measured = speedup(ratios, np.ones(10))
        held += measured["low"] <= 1.3 <= measured["high"]
    assert held / 2000 == pytest.approx(0.9785, abs=0.01)
