"""Peak memory: what is held, plus the most that is asked for at a time."""

import gc
from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_model

from sparsitysolver import timing
from sparsitysolver.evaluation.inference import held_bytes, peak_bytes

MIB = 2**20


def one_after_the_other():
    """Holds 3 MiB, then 1 MiB, then 3 MiB again, 5 MiB at most."""
    first = torch.empty(3 * MIB, dtype=torch.uint8)
    del first
    second = torch.empty(MIB // 4)
    third = torch.empty(MIB, dtype=torch.float16)
    fourth = torch.empty(2 * MIB, dtype=torch.uint8)
    del fourth
    return second, third


def test_most_bytes_at_a_time():
    model = tiny_model("opt")
    assert peak_bytes(model, one_after_the_other) == held_bytes(model) + 5 * MIB


def test_what_lies_in_memory_already_does_not_count():
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
