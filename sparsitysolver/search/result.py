"""What an algorithm hands back to the search that called it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from sparsitysolver.pruning.effects import Effect
from sparsitysolver.records.files import Json


@dataclass(frozen=True)
class SearchResult:
    """``candidates`` are kept counts by name, to be considered beside the best episodes.

    ``parameters`` are the tensors of an agent's networks; None for algorithms that learn none. ``notes`` is what the
    strategy keeps of how the search went. ``effects`` are a surrogate's, seen from its only candidate.
    """

    candidates: dict[str, list[int]] = field(default_factory=dict)
    parameters: Mapping[str, torch.Tensor] | None = None
    notes: Json = field(default_factory=dict)
    effects: Sequence[Effect] | None = None
