"""How large a model is, and what jobs on it ask of the machine: GPUs, threads, host memory, time (no torch).

Memory and time are estimates for plans, cautious ones: a cluster ends a job that takes more than it asked for.
"""

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsitysolver.config.registry import models_table
from sparsitysolver.devices import gpus_here
from sparsitysolver.model_files import weight_files
from sparsitysolver.plans.grid import Grid
from sparsitysolver.plans.own_models import parameters_of

CPU, GPU = "cpu", "cuda"
WINDOW = 2048  # tokens of a window, where the model takes as many

# Operations a second: of one data-centre GPU in half precision, and of one core in float32.
_GPU_RATE, _CORE_RATE = 2e14, 2e10
_MARGIN = 1.5
_START = 5  # minutes for start and loading
_GIB = 1 << 30
_GPU_BYTES = 80 * _GIB  # of the GPUs that plans count in
_LIBRARIES = 3 * _GIB
_CALIBRATION_WINDOWS = 128
# Parameters below which a job has so many threads. By size alone: a number taken from the machine's cores would make
# the same command measure other cells on another machine, since the order of sums decides last digits.
_THREADS = ((50_000_000, 1), (1_000_000_000, 2), (math.inf, 4))

_HEADER_LENGTH = 8  # bytes at the start of a safetensors file, before the header that they count
_LARGEST_HEADER = 100_000_000  # bytes, of the format
_VOCABULARY, _HIDDEN = 50_000, 4096  # where nothing says
_BYTES = {"float64": 8, "float32": 4, "float8_e4m3fn": 1, "int8": 1}  # per parameter; two of all others


@dataclass(frozen=True)
class Size:
    """Numbers that decide what a job on a model costs."""

    parameters: int
    hidden: int
    vocabulary: int
    window: int  # tokens of its longest window, at most WINDOW


def size_of(model: str, folder: Path | None, config: Mapping[str, Any] | None) -> Size:
    """A model's size, without loading it: by headers of its folder's weights, by ``config.json``, by the registry.

    ``folder`` is None for a model of the hub, and ``config`` for one of the registry there.
    """
    if config is None:
        row = models_table()[model]
        return Size(row.parameters, row.hidden, _VOCABULARY, WINDOW)
    width = _BYTES.get(str(config.get("dtype") or config.get("torch_dtype")), 2)

    def number(name: str, default: int) -> int:
        value = config.get(name)
        return value if isinstance(value, int) and value > 0 else default

    if folder is None:
        parameters = parameters_of(config)
    else:
        weights = (path for path in weight_files(folder) if path.suffix != ".json" and path.is_file())
        parameters = sum(_in_header(path) or path.stat().st_size // width for path in weights)
    return Size(
        parameters=parameters,
        hidden=number("hidden_size", _HIDDEN),
        vocabulary=number("vocab_size", _VOCABULARY),
        window=min(WINDOW, number("max_position_embeddings", WINDOW)),
    )


def _in_header(path: Path) -> int:
    """Numbers in a safetensors file, by its header; 0 where it is none or broken, which is told when it is loaded."""
    if path.suffix != ".safetensors":
        return 0
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(_HEADER_LENGTH), "little")
        text = handle.read(length) if length <= _LARGEST_HEADER else b""
    try:
        return sum(math.prod(entry["shape"]) for name, entry in json.loads(text).items() if name != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0


def on_cluster(workflow: Any) -> bool:
    """Whether Snakemake sends jobs to other machines; known once it builds its graph of jobs.

    So it is in the calls by which those machines run a job; a dry run knows of them that they were counted (--jobs).
    """
    counted = workflow.dryrun and workflow.resource_settings.nodes is not None
    return workflow.remote_exec or counted or not workflow.local_exec


class Machine:
    """Demands of a grid's jobs, by model.

    Args:
        grid: whose settings ``device`` and ``threads`` go before what is best here.
        folder_of: the folder that a model is read from, None for the hub.
        config_of: its ``config.json``, None for a model of the registry that is read from the hub.
    """

    def __init__(
        self,
        grid: Grid,
        folder_of: Callable[[str], Path | None],
        config_of: Callable[[str], Mapping[str, Any] | None],
    ) -> None:
        self.grid = grid
        self.size = functools.cache(lambda model: size_of(model, folder_of(model), config_of(model)))

    @property
    def device(self) -> str:
        """``cuda`` or ``cpu``: as the run says, else what the machine has; a cluster's are taken to have GPUs."""
        if self.grid.device != "auto":
            return self.grid.device
        return GPU if self.grid.on_cluster() or gpus_here() else CPU

    def gpus(self, model: str) -> int:
        """GPUs of one job; none for models that the registry keeps on the CPU, and none where there are none."""
        if self.device == CPU:
            return 0
        if model in models_table():
            return models_table()[model].gpus
        return max(1, math.ceil(1.15 * 2 * self.size(model).parameters / _GPU_BYTES))

    def threads(self, model: str) -> int:
        """Torch threads of one job: of the run, else of the grid, else by the model's size."""
        if self.grid.threads:
            return self.grid.threads
        return next(threads for below, threads in _THREADS if self.size(model).parameters < below)

    def memory_mb(self, model: str) -> int:
        """Host memory of one job, in MB."""
        listed = models_table()[model].memory_gib * _GIB if model in models_table() else 0
        size = self.size(model)
        if self.gpus(model):
            needed = listed or 9 * _GIB + 2.3 * size.parameters
        else:  # float32 weights and a copy at work, a layer's inputs and outputs, scores of all tokens of a window
            windows = 2 * 4 * _CALIBRATION_WINDOWS * size.window * size.hidden
            needed = max(listed, _LIBRARIES + 2 * 4 * size.parameters + windows + 4 * 4 * size.window * size.vocabulary)
        return math.ceil(needed / (1 << 20))

    def minutes(self, model: str, tokens: int) -> int:
        """Estimated wall time in minutes of forward passes over ``tokens``: 2 × parameters × tokens operations."""
        rate = _GPU_RATE if self.gpus(model) else _CORE_RATE * self.threads(model)
        return _START + int(2 * self.size(model).parameters * tokens / rate / 60 * _MARGIN)
