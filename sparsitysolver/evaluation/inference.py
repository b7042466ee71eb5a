"""What inference costs: prefill and decode of a dense and a pruned model, measured interleaved, and their memory.

Generation is greedy, of prompts of equal length, so nothing is padded, and no token ends a text: every model does the
same work. A check says that the cache does not change what comes out.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from transformers import Cache, PreTrainedModel

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.files import Json
from sparsitysolver.seeds import derive_seed
from sparsitysolver.timing import no_collector, synchronise, timed

MEASURE = "weights and buffers, and the most bytes that torch's allocator held at a time beyond what it held before"
# How far logits with and without a cache may lie apart, as root mean square over the vocabulary and in standard
# deviations of the logits: room for rounding alone (seen: 1e-6 in float32). A broken cache is off by about 1.
TOLERANCES = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.2}
CONFIDENCE = 0.95  # of the intervals of speed-ups
PHASES = ("prefill", "decode")
Seconds = dict[str, list[float]]  # by phase, one number a round; decode is all new tokens together


@dataclass(frozen=True)
class Workload:
    """What every model is given: ``batch`` prompts of ``prompt_tokens``, each continued by ``new_tokens``."""

    batch: int
    prompt_tokens: int
    new_tokens: int
    seed: int = 0

    def check(self, context: int, name: str) -> None:
        """Refuse what cannot be measured on a model that takes ``context`` tokens."""
        for number in ("batch", "prompt_tokens", "new_tokens"):
            value = getattr(self, number)
            if value < 1:
                raise SparsitySolverError(f"{number.replace('_', ' ')} {value} asked for; at least 1 is needed.")
        if self.prompt_tokens + self.new_tokens > context:
            raise SparsitySolverError(
                f"{self.prompt_tokens} prompt tokens and {self.new_tokens} new ones asked for; {name} takes at most "
                f"{context} together."
            )

    def prompt(self, vocabulary: int) -> torch.Tensor:
        """Random token ids (batch, prompt_tokens): what they say does not change how long they take."""
        rng = np.random.default_rng(derive_seed("inference", self.seed))
        return torch.from_numpy(rng.integers(vocabulary, size=(self.batch, self.prompt_tokens)))


class Contestant:
    """One loaded model that is ready to be timed: it lies on its device whole, and its cache changes nothing."""

    def __init__(self, loaded: LoadedModel, workload: Workload) -> None:
        parameters, name = list(loaded.model.parameters()), loaded.source.name
        off = [parameter for parameter in parameters if parameter.device.type != torch.device(loaded.device).type]
        if off:  # offloaded without a word; its times would be those of the bus
            raise SparsitySolverError(
                f"{name} does not fit on {loaded.device} beside the other model: {len(off)} of "
                f"{len(parameters)} tensors lie on {off[0].device.type}. Give more GPUs (--gpus) or a smaller --dtype."
            )
        self.model, self.workload = loaded.model, workload
        self.prompt = workload.prompt(loaded.model.config.vocab_size).to(loaded.adapter.input_device)
        self.facts: Json = {
            "size": measure_size(loaded.adapter).record(),
            # The check is also the warm-up: first calls load kernels and reserve workspace.
            "cache_check": check_cache(self.model, self.prompt, workload.new_tokens, loaded.dtype, name),
            "peak_memory_bytes": peak_bytes(self.model, self.generate),
        }

    def generate(self) -> tuple[float, float]:
        """Generate once; the seconds of both phases."""
        (cache, logits), first = timed(lambda: prefill(self.model, self.prompt))
        return first, timed(lambda: decode(self.model, cache, logits, self.workload.new_tokens))[1]


def interleave(contestants: Sequence[Contestant], rounds: int) -> list[Seconds]:
    """Time models in turn, each once a round, and each as often first as any other; seconds in the order given.

    What disturbs a machine for a while then meets all of them, and a ratio within a round compares like with like.
    """
    seconds: list[Seconds] = [{phase: [] for phase in PHASES} for _ in contestants]
    for number in range(rounds):
        for place in range(len(contestants)):
            index = (number + place) % len(contestants)
            with no_collector():
                taken = contestants[index].generate()
            for phase, value in zip(PHASES, taken, strict=True):
                seconds[index][phase].append(value)
    return seconds


def speed(seconds: Seconds, workload: Workload) -> Json:
    """Medians over rounds, and tokens per second at the median: all prompts' tokens together."""
    found = {}
    for phase, tokens in zip(PHASES, (workload.prompt_tokens, workload.new_tokens), strict=True):
        middle = median(seconds[phase])
        found[phase] = {"seconds": middle, "tokens_per_second": workload.batch * tokens / middle}
    return found


def speedup(before: Sequence[float], after: Sequence[float]) -> Json:
    """How much faster: the median of the ratios of two models' seconds round by round, and an interval for it.

    From the ``rank``-th smallest ratio to the ``rank``-th greatest, whatever the distribution of times: each ratio lies
    below the true median with probability 1/2, so the interval misses it with probability 2 P(Binomial(n, 1/2) < rank).
    The greatest rank that reaches ``CONFIDENCE`` is taken, where none does the whole range; ``coverage`` is exact.
    """
    ratios = sorted(first / second for first, second in zip(before, after, strict=True))
    count = len(ratios)
    coverages = [1 - 2 * sum(math.comb(count, below) for below in range(rank)) / 2**count for rank in range(count + 1)]
    rank = max((rank for rank in range(1, (count + 1) // 2 + 1) if coverages[rank] >= CONFIDENCE), default=1)
    return {"value": median(ratios), "low": ratios[rank - 1], "high": ratios[-rank], "coverage": coverages[rank]}


def held_bytes(model: PreTrainedModel) -> int:
    """Bytes of a model's parameters and buffers; tied tensors count once."""
    return sum(tensor.numel() * tensor.element_size() for tensor in [*model.parameters(), *model.buffers()])


def peak_bytes(model: PreTrainedModel, work: Callable[[], object]) -> int:
    """Most bytes that ``model`` needs during ``work``: cache and activations come on top of what it holds.

    On GPUs from the counters of torch's allocator (reserved but unused memory does not count), summed over devices.
    On the CPU from the allocations and releases that torch's profiler sees; libraries' own buffers stay unseen there.
    Either way other models in memory do not count. ``work`` must have run before: first calls reserve workspace.
    """
    if any(parameter.is_cuda for parameter in model.parameters()):
        devices = range(torch.cuda.device_count())
        synchronise()
        before = [torch.cuda.memory_allocated(device) for device in devices]
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        work()
        synchronise()
        return held_bytes(model) + sum(torch.cuda.max_memory_allocated(one) - before[one] for one in devices)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    # Only the raw events say when each allocation was made and released; the public ones add up an operator's.
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return held_bytes(model) + max([0, *itertools.accumulate(event.nbytes() for event in events)])


@torch.inference_mode()
def prefill(model: PreTrainedModel, prompt: torch.Tensor) -> tuple[Cache, torch.Tensor]:
    """One forward pass over prompts (batch, tokens): the cache, and logits (batch, vocabulary) of the last position.

    The head is applied to the last position alone, as generation does it.
    """
    output = model(input_ids=prompt, use_cache=True, logits_to_keep=1)
    return output.past_key_values, output.logits[:, -1]


@torch.inference_mode()
def step(model: PreTrainedModel, cache: Cache, token: torch.Tensor) -> torch.Tensor:
    """Logits (batch, vocabulary) after one more token (batch, 1), whose keys and values join the cache."""
    return model(input_ids=token, past_key_values=cache, use_cache=True).logits[:, -1]


@torch.inference_mode()
def decode(model: PreTrainedModel, cache: Cache, logits: torch.Tensor, steps: int) -> torch.Tensor:
    """Tokens (batch, steps), a forward pass each, every one the best by the logits (batch, vocabulary) before it."""
    tokens = []
    for _ in range(steps):
        tokens.append(logits.argmax(dim=-1, keepdim=True))
        logits = step(model, cache, tokens[-1])
    return torch.cat(tokens, dim=1)


@torch.inference_mode()
def check_cache(model: PreTrainedModel, prompt: torch.Tensor, steps: int, dtype: str, name: str) -> Json:
    """Compare cached greedy generation with a forward pass without cache over all that it generated.

    One pass is enough: if it names the same best token after every prefix, then generation without a cache, which
    starts from the same prompt, goes through the same prefixes.

    Returns the number of ``tokens`` compared, of all prompts together, of ``different`` ones, which only ties within
    rounding may be, and the greatest ``distance`` of the logits; more than ``TOLERANCES`` is an error.
    """
    cache, logits = prefill(model, prompt)
    cached, text = [logits], prompt
    for _ in range(steps):
        token = cached[-1].argmax(dim=-1, keepdim=True)
        text = torch.cat([text, token], dim=1)
        cached.append(step(model, cache, token))
    plain = model(input_ids=text, use_cache=False, logits_to_keep=steps + 1).logits.float()
    found = torch.stack(cached, dim=1).float()
    distances = (found - plain).square().mean(dim=-1).sqrt() / plain.std(dim=-1)
    if not distances.isfinite().all():
        raise SparsitySolverError(f"{name} generates from logits that are not finite. Try another dtype.")
    off = (distances > TOLERANCES[dtype]).any(dim=0).nonzero()
    if len(off):
        raise SparsitySolverError(
            f"{name} generates other tokens with a cache than without: from token {int(off[0]) + 1} of "
            f"{distances.shape[1]} on its logits are up to {float(distances.max()):.3g} standard deviations apart "
            f"({TOLERANCES[dtype]:g} allowed for rounding). Its speed would be that of another model; prune it again, "
            "and report this if it happens again."
        )
    different = int((found.argmax(dim=-1) != plain.argmax(dim=-1)).sum())
    return {"tokens": distances.numel(), "different": different, "distance": float(distances.max())}
