"""What an algorithm hands back to the search that called it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from sparsitysolver.records import Json


@dataclass(frozen=True)
class Searched:
    """``candidates`` are kept counts by name, to be considered beside the best episodes.

    ``parameters`` are the tensors of an agent's networks; None for algorithms that learn none. ``notes`` is what the
    strategy keeps of how the search went. ``table`` is a surrogate's measured table, to be kept beside the strategy.
    """

    candidates: dict[str, list[int]] = field(default_factory=dict)
    parameters: Mapping[str, torch.Tensor] | None = None
    notes: Json = field(default_factory=dict)
    table: Json | None = None
