"""Peak memory of one model at work, whatever else is in memory: what it holds, and the most it asks for beyond."""

from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from sparsitysolver.timing import synchronise

MEASURE = "weights and buffers, and the most bytes that torch's allocator held at a time beyond what it held before"


def held_bytes(model: PreTrainedModel) -> int:
    """Bytes of a model's parameters and buffers; tied tensors count once."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def peak_bytes(model: PreTrainedModel, work: Callable[[], object]) -> int:
    """Most bytes that ``model`` needs during ``work``: cache and activations come on top of what it holds.

    On GPUs from the counters of torch's allocator (reserved but unused memory does not count), summed over devices.
    On the CPU from the allocations and releases that torch's profiler sees; libraries' own buffers stay unseen there.
    Either way other models in memory do not count. ``work`` must have run before: first calls reserve workspace.
    """
    on_gpu = any(parameter.is_cuda for parameter in model.parameters())
    return held_bytes(model) + (_gpu_increase(work) if on_gpu else _cpu_increase(work))


def _gpu_increase(work: Callable[[], object]) -> int:
    devices = range(torch.cuda.device_count())
    synchronise()
    before = [torch.cuda.memory_allocated(device) for device in devices]
    for device in devices:
        torch.cuda.reset_peak_memory_stats(device)
    work()
    synchronise()
    return sum(torch.cuda.max_memory_allocated(device) - before[device] for device in devices)


def _cpu_increase(work: Callable[[], object]) -> int:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    # Only the raw events say when each allocation was made and released; the public ones add up an operator's.
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak
