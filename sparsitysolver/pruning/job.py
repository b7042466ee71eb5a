"""What every baseline is given: one pruning job, its calibration data, and the strategy to execute."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.structure import Structure
from sparsitysolver.pruning.masks import Pattern
from sparsitysolver.pruning.scores import Selection, score_units
from sparsitysolver.pruning.units import STRUCTURED, Unit, units_of
from sparsitysolver.statistics.collect import Statistics


@dataclass
class Job:
    """One model to prune to one sparsity.

    Attributes:
        adapter: the dense model; pruners change it in place.
        sparsity: target fraction of prunable weights to remove.
        calibrate: gives the dense model's statistics over ``ids()``; called at most once, and only if needed.
        ids: gives the calibration windows (nsamples, seqlen).
        reconstruction_ids: gives the windows that reconstruction regresses on.
        granularity: what the strategy's units are: ``structured`` or ``unstructured``.
        criterion: what ranks the items of a unit.
        whole: whether the pruner keeps whole items; else allocators may give a matrix a fraction of a column's worth.
        pattern: N:M pattern for methods that support one.
        seed: the job's own seed, for methods that draw.
        options: the method's options from ``methods.tsv`` and the command line.
        search: finds a strategy by search (only for allocators that search).
        progress: called with a short text as work moves on.
    """

    adapter: Adapter
    sparsity: float
    calibrate: Callable[[], Statistics]
    ids: Callable[[], np.ndarray]
    reconstruction_ids: Callable[[], np.ndarray]
    granularity: str = STRUCTURED
    criterion: str = "l2"
    whole: bool = True
    pattern: Pattern | None = None
    seed: int = 0
    options: dict[str, str] = field(default_factory=dict)
    search: Callable[["Job"], list[int]] | None = None
    progress: Callable[[str], None] = lambda text: None

    @functools.cached_property
    def units(self) -> list[Unit]:
        """The units of the model at the job's granularity."""
        return units_of(self.adapter.shape, self.granularity)

    @functools.cached_property
    def statistics(self) -> Statistics:
        """Moments of the dense model at the inputs that the granularity's criteria read."""
        return self.calibrate()

    @functools.cached_property
    def selection(self) -> Selection:
        """Scores of all units by the job's criterion."""
        return score_units(self.adapter, self.statistics, self.criterion)

    def option(self, name: str, default: float) -> float:
        """A numeric option of the method."""
        text = self.options.get(name)
        if text is None:
            return default
        try:
            return float(text)
        except ValueError as error:
            raise SparsitySolverError(f"option {name}={text}: a number is needed.") from error

    def flag(self, name: str) -> bool:
        """A yes/no option of the method, no by default."""
        return self.options.get(name, "no") == "yes"


@dataclass
class Outcome:
    """What a pruner leaves.

    Attributes:
        structure: rebuilds the model's shapes; None where they are unchanged.
        facts: what the record says of the pruning.
        run: the same for what differs from run to run, such as times.
    """

    structure: Structure | None
    facts: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
