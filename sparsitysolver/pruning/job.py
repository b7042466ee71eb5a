"""What every baseline is given: one pruning job, its calibration data, and the strategy to execute."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.shape import Shape
from sparsitysolver.models.structure import Structure
from sparsitysolver.pruning.masks import Pattern
from sparsitysolver.pruning.scores import score_units
from sparsitysolver.pruning.units import STRUCTURED, Unit, units_of
from sparsitysolver.statistics.collect import Statistics


@dataclass
class Job:
    """One model to prune to one sparsity."""

    adapter: Adapter  # the dense model; pruners change it in place
    sparsity: float  # target fraction of prunable weights to remove
    calibrate: Callable[[], Statistics]  # of the dense model over ``ids()``; called at most once, and only if needed
    ids: Callable[[], np.ndarray]  # the calibration windows (nsamples, seqlen); first asked for of the dense model
    reconstruction_ids: Callable[[], np.ndarray]  # the windows that reconstruction regresses on
    granularity: str = STRUCTURED  # what the strategy's units are: or UNSTRUCTURED
    criterion: str = "l2"  # what ranks the items of a unit
    whole: bool = True  # whether the pruner keeps whole items; else a matrix may keep a fraction of a column's worth
    pattern: Pattern | None = None  # N:M, for methods that support one
    seed: int = 0  # the job's own, for methods that draw
    options: dict[str, str] = field(default_factory=dict)  # the method's, from ``methods.tsv`` and the command line
    search: Callable[["Job"], list[int]] | None = None  # finds a strategy (only for allocators that search)
    progress: Callable[[str], None] = lambda text: None  # called with a short text as work moves on

    @functools.cached_property
    def units(self) -> list[Unit]:
        """The units of the model at the job's granularity."""
        return units_of(self.adapter.shape, self.granularity)

    @functools.cached_property
    def statistics(self) -> Statistics:
        """Moments of the dense model at the inputs that the granularity's criteria read."""
        return self.calibrate()

    @functools.cached_property
    def scores(self) -> list[torch.Tensor]:
        """Scores of the items of all structured units by the job's criterion."""
        return score_units(self.adapter, self.statistics, self.criterion)

    def option(self, name: str, default: float) -> float:
        """A numeric option of the method."""
        text = self.options.get(name)
        try:
            return default if text is None else float(text)
        except ValueError as error:
            raise SparsitySolverError(f"option {name}={text}: a number is needed.") from error

    def flag(self, name: str) -> bool:
        """A yes/no option of the method, no by default."""
        return self.options.get(name, "no") == "yes"


@dataclass
class Outcome:
    """What a pruner leaves."""

    structure: Structure | None  # rebuilds the model's shapes; None where they are unchanged
    facts: dict[str, Any] = field(default_factory=dict)  # what the record says of the pruning
    run: dict[str, Any] = field(default_factory=dict)  # the same for what differs from run to run, such as times


@dataclass(frozen=True)
class GramUse:
    """Gram matrices that a pruner inverts or decomposes: of ``channels(shape)`` channels at most, over the tokens of
    ``windows``: ``CALIBRATION`` or ``RECONSTRUCTION`` of ``records/seen.py``.
    """

    windows: str
    channels: Callable[[Shape], int]

    def few_tokens(self, label: str, shape: Shape, tokens: int) -> str | None:
        """A warning where the matrices have directions that no token has shown: their rank is at most ``tokens``."""
        channels = self.channels(shape)
        if tokens >= channels:
            return None
        return (
            f"{label} solves for up to {channels} directions of activations from {tokens} {self.windows} tokens, which "
            "cannot determine so many; give more or longer windows (--nsamples, --seqlen)."
        )


def stream(shape: Shape) -> int:
    """Channels of the residual stream."""
    return shape.hidden


def widest_input(shape: Shape) -> int:
    """Most input channels of any linear."""
    return max(columns for _, columns in shape.matrices.values())
