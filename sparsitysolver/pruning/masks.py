"""Which weights of a matrix to keep: by row, by matrix, or N of every M (pure tensor mathematics).

Masks are boolean (rows, columns), True where a weight stays. Of equal scores the earlier column goes first, as a
stable ascending sort has it.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

import torch

from sparsitysolver.errors import SparsitySolverError

# Columns up to which uint8 and int16 hold every rank, and the number of columns itself: a rank is compared with counts
# up to it, and a count that does not fit would wrap around.
_NARROW, _WIDE = (1 << 8) - 1, (1 << 15) - 1


@dataclass(frozen=True)
class Pattern:
    """N:M sparsity: of every ``group`` consecutive weights of a row at most ``keep`` are not zero."""

    keep: int
    group: int

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """``2:4``, ``4:8`` …, or an error."""
        found = re.fullmatch(r"(\d+):(\d+)", text)
        if not found or not 0 < int(found[1]) < int(found[2]):
            raise SparsitySolverError(f"pattern '{text}' asked for; N:M with 0 < N < M is needed, such as 2:4 or 4:8.")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.keep}:{self.group}"

    @property
    def sparsity(self) -> float:
        """The sparsity the pattern gives."""
        return float(1 - Fraction(self.keep, self.group))

    def check(self, name: str, columns: int) -> None:
        """Refuse a matrix whose rows do not divide into whole groups."""
        if columns % self.group:
            raise SparsitySolverError(
                f"pattern {self} does not divide the {columns} columns of {name}: a row must hold whole groups of "
                f"{self.group}. Take an M that divides {columns}."
            )


def check_scores(scores: torch.Tensor, name: str) -> torch.Tensor:
    """Refuse scores that are not numbers: a mask made from them would be arbitrary."""
    bad = int(scores.isnan().sum())
    if bad:
        raise SparsitySolverError(
            f"{bad} of {scores.numel()} scores of {name} are NaN: its weights or the activations of the calibration "
            "windows are not finite. Check the model with 'sparsitysolver preflight', or take another --dtype."
        )
    return scores


def row_ranks(scores: torch.Tensor) -> torch.Tensor:
    """Rank of every weight within its row, 0 for the highest score: (rows, columns), one or two bytes a weight.

    The ``k`` best of every row are those with ``rank < k``. Of equal scores the later column ranks higher, so that
    dropping from the end drops in the order of a stable ascending sort.
    """
    columns = scores.shape[1]
    kind = torch.uint8 if columns <= _NARROW else torch.int16 if columns <= _WIDE else torch.int32
    ascending = scores.argsort(dim=1, stable=True)
    places = torch.arange(columns - 1, -1, -1, device=scores.device, dtype=kind)
    return torch.empty_like(scores, dtype=kind).scatter_(1, ascending, places.expand_as(ascending))


def row_mask(scores: torch.Tensor, kept: int) -> torch.Tensor:
    """The ``kept`` highest scores of every row (Wanda)."""
    dropped = scores.shape[1] - kept
    if not 0 < dropped <= scores.shape[1]:
        return _sorted_row_mask(scores, kept)
    mask = scores > scores.kthvalue(dropped, dim=1, keepdim=True).values
    drawn = mask.sum(dim=1) < kept  # of equal scores some stay: which ones, a stable sort says
    if drawn.any():
        mask[drawn] = _sorted_row_mask(scores[drawn], kept)
    return mask


def _sorted_row_mask(scores: torch.Tensor, kept: int) -> torch.Tensor:
    lowest = scores.argsort(dim=1, stable=True)[:, : scores.shape[1] - kept]
    return torch.ones_like(scores, dtype=torch.bool).scatter_(1, lowest, value=False)


def matrix_mask(scores: torch.Tensor, sparsity: float | Fraction) -> torch.Tensor:
    """The scores above the one at place floor(n · sparsity) of all n in ascending order (SparseGPT, magnitude).

    So one more than that floor goes, and whatever equals it, as in the published code; nothing at sparsity 0.
    """
    place = int(scores.numel() * sparsity)
    if sparsity == 0 or place >= scores.numel():
        return torch.full_like(scores, sparsity == 0, dtype=torch.bool)
    return scores > scores.flatten().kthvalue(place + 1).values


def pattern_mask(scores: torch.Tensor, pattern: Pattern, name: str = "the matrix") -> torch.Tensor:
    """The ``pattern.keep`` highest scores of every ``pattern.group`` consecutive columns; they must divide."""
    pattern.check(name, scores.shape[1])  # groups across the ends of rows would pass unnoticed
    groups = scores.reshape(-1, pattern.group)
    return row_mask(groups, pattern.keep).reshape(scores.shape)
