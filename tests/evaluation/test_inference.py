"""Interleaved measurements: order, arithmetic, and what a pruned model's numbers are."""

from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_folder

from sparsitysolver import timing
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.generation import prefill
from sparsitysolver.evaluation.inference import Contestant, Workload, held_bytes, interleave, speed
from sparsitysolver.models.loading import load_model
from sparsitysolver.pruning.slicing import slice_attention, slice_ffn

WORKLOAD = Workload(batch=2, prompt_tokens=8, new_tokens=5)


class Clock:
    """Time passes only when something asks for it."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(timing, "perf_counter", lambda: self.now)


def contestant(name, clock, log, cost):
    """Stands for a model that takes ``cost`` seconds to prefill and three times that to decode."""

    def generate():
        log.append(name)
        clock.now += cost
        return cost, 3 * cost

    return SimpleNamespace(generate=generate)


def loaded(family="llama"):
    return load_model(str(tiny_folder(family)), device="cpu")


@pytest.mark.parametrize("rounds", [1, 4])
def test_every_round_measures_every_model_and_the_order_changes(rounds, monkeypatch):
    clock, log = Clock(monkeypatch), []
    pair = [contestant("dense", clock, log, 2.0), contestant("pruned", clock, log, 1.0)]
    dense, pruned = interleave(pair, rounds)
    assert log == ["dense", "pruned", "pruned", "dense"][: 2 * rounds] * (2 if rounds == 4 else 1)
    assert (dense["prefill"], pruned["prefill"], dense["decode"]) == ([2.0] * rounds, [1.0] * rounds, [6.0] * rounds)


def test_phases_are_timed_apart(monkeypatch):
    ready, clock = Contestant(loaded(), WORKLOAD), Clock(monkeypatch)
    forward = ready.model.forward

    def slow(*args, **kwargs):
        clock.now += 10.0 if kwargs.get("past_key_values") is None else 1.0
        return forward(*args, **kwargs)

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
    assert after["size"]["bytes"] == 4 * after["size"]["parameters"]


def test_peak_memory_holds_weights_cache_and_activations(family):
    one = loaded(family)
    cache, _ = prefill(one.model, WORKLOAD.prompt(50))
    keys = sum(2 * layer.keys.numel() * 4 for layer in cache.layers)
    peak = Contestant(one, WORKLOAD).facts["peak_memory_bytes"]
    beside = held_bytes(one.model) + keys
    assert beside < peak < beside + 200_000


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
