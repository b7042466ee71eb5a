"""Seconds of work on any device. GPUs go on working after a call has returned, so both ends wait for them."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

import torch

Result = TypeVar("Result")


def synchronise() -> None:
    """Wait until every GPU that this process uses has nothing left to do; a model may be spread over several.

    Devices without a tensor are left alone: to ask them would open a context there, on GPUs that others may hold.
    """
    if torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            if torch.cuda.memory_allocated(index):
                torch.cuda.synchronize(index)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What ``work`` returns, and how many seconds it took on its device."""
    synchronise()
    start = perf_counter()
    result = work()
    synchronise()
    return result, perf_counter() - start


@contextmanager
def no_collector() -> Iterator[None]:
    """Collect garbage now and not within the block, where it would strike one measurement and spare another."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
