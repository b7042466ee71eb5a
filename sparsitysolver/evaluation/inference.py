"""What inference costs: prefill and decode of a dense and a pruned model, measured interleaved, and their memory."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

import numpy as np
import torch

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.generation import check_cache, decode, prefill
from sparsitysolver.evaluation.memory import peak_bytes
from sparsitysolver.evaluation.size import measure_size
from sparsitysolver.evaluation.speedup import speedup
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.files import Json
from sparsitysolver.seeds import derive_seed
from sparsitysolver.timing import no_collector, timed


@dataclass(frozen=True)
class Workload:
    """What every model is given: ``batch`` prompts of ``prompt_tokens``, each continued by ``new_tokens``."""

    batch: int
    prompt_tokens: int
    new_tokens: int
    seed: int = 0

    def check(self, context: int, name: str) -> None:
        """Refuse what cannot be measured on a model that takes ``context`` tokens."""
        for field_name in ("batch", "prompt_tokens", "new_tokens"):
            value = getattr(self, field_name)
            if value < 1:
                raise SparsitySolverError(f"{field_name.replace('_', ' ')} {value} asked for; at least 1 is needed.")
        if self.prompt_tokens + self.new_tokens > context:
            raise SparsitySolverError(
                f"{self.prompt_tokens} prompt tokens and {self.new_tokens} new ones asked for; {name} takes at most "
                f"{context} together."
            )

    def prompt(self, vocabulary: int) -> torch.Tensor:
        """Random token ids (batch, prompt_tokens): what they say does not change how long they take."""
        rng = np.random.default_rng(derive_seed("inference", self.seed))
        return torch.from_numpy(rng.integers(vocabulary, size=(self.batch, self.prompt_tokens)))


@dataclass
class Seconds:
    """Seconds of one model's phases, one number a round; decode is all new tokens together."""

    prefill: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.prefill + other.prefill, self.decode + other.decode)


class Contestant:
    """One loaded model that is ready to be timed.

    Raises:
        SparsitySolverError: parts of it do not fit on the device, or its cache changes what it generates.
    """

    def __init__(self, loaded: LoadedModel, workload: Workload) -> None:
        self.model, self.workload = loaded.model, workload
        _check_placement(loaded)
        self.prompt = workload.prompt(loaded.model.config.vocab_size).to(loaded.adapter.input_device)
        name = loaded.source.name
        self.facts: Json = {"size": measure_size(loaded.adapter).record()}
        # The check is also the warm-up: first calls load kernels and reserve workspace.
        check = check_cache(self.model, self.prompt, workload.new_tokens, loaded.dtype, name)
        self.facts["cache_check"] = asdict(check)
        self.facts["peak_memory_bytes"] = peak_bytes(self.model, self.generate)

    def generate(self) -> Seconds:
        """Generate once, and time it."""
        (cache, logits), first = timed(lambda: prefill(self.model, self.prompt))
        _, second = timed(lambda: decode(self.model, cache, logits, self.workload.new_tokens))
        return Seconds([first], [second])


def _check_placement(loaded: LoadedModel) -> None:
    """A model that does not fit on the GPUs is offloaded without a word; its times would be those of the bus."""
    parameters = list(loaded.model.parameters())
    off = [parameter for parameter in parameters if parameter.device.type != torch.device(loaded.device).type]
    if off:
        raise SparsitySolverError(
            f"{loaded.source.name} does not fit on {loaded.device} beside the other model: {len(off)} of "
            f"{len(parameters)} tensors lie on {off[0].device.type}. Give more GPUs (--gpus) or a smaller --dtype."
        )


def interleave(contestants: Sequence[Contestant], rounds: int) -> list[Seconds]:
    """Time models in turn, each once a round, and each as often first as any other.

    What disturbs a machine for a while then meets all of them, and a ratio within a round compares like with like.

    Returns:
        seconds by contestant, in the order given.
    """
    seconds = [Seconds() for _ in contestants]
    for number in range(rounds):
        for place in range(len(contestants)):
            index = (number + place) % len(contestants)
            with no_collector():
                seconds[index] += contestants[index].generate()
    return seconds


def speed(seconds: Seconds, workload: Workload) -> Json:
    """Medians over rounds, and tokens per second at the median: all prompts' tokens together."""
    tokens = {"prefill": workload.prompt_tokens, "decode": workload.new_tokens}
    return {
        phase: {
            "seconds": median(getattr(seconds, phase)),
            "tokens_per_second": workload.batch * count / median(getattr(seconds, phase)),
        }
        for phase, count in tokens.items()
    }


def speedups(dense: Seconds, pruned: Seconds) -> Json:
    """How many times faster each phase is than the dense model's in the same round; see :func:`speedup`."""
    return {phase: asdict(speedup(getattr(dense, phase), getattr(pruned, phase))) for phase in ("prefill", "decode")}
