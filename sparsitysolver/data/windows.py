"""Evaluation windows: a text tokenised once, cut into contiguous windows, the last partial one dropped."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsitysolver.data.sources import Text
from sparsitysolver.errors import SparsitySolverError


@dataclass(frozen=True)
class Windows:
    """``ids`` (windows, seqlen) int32 and what they were cut from."""

    ids: np.ndarray
    text: Text
    total_tokens: int
    total_windows: int
    bos: str

    @property
    def seqlen(self) -> int:
        """Window length in tokens."""
        return self.ids.shape[1]


def cut_windows(text: Text, tokenizer: Any, seqlen: int, count: int | None = None, bos: bool = True) -> Windows:
    """Tokenise a text once (with the tokenizer's own BOS) and cut it (design: protocol decision 1).

    Args:
        text: the split to cut.
        tokenizer: the model's own.
        seqlen: window length in tokens.
        count: None for all windows, else so many, spread evenly over the text.
        bos: False leaves the tokenizer's special tokens out (to diagnose other protocols).

    Raises:
        SparsitySolverError: the text is shorter than one window, or fewer windows exist than asked for.
    """
    ids = np.asarray(tokenizer(text.joined, add_special_tokens=bos, verbose=False).input_ids, dtype=np.int32)
    total = len(ids) // seqlen
    if total == 0:
        raise SparsitySolverError(
            f"text '{text.location}' is shorter than one window: {len(ids)} tokens found, {seqlen} needed."
        )
    windows = ids[: total * seqlen].reshape(total, seqlen)
    first = int(ids[0])
    marker = f"{first}" if bos and first in (getattr(tokenizer, "all_special_ids", None) or []) else "none"
    return Windows(windows[spread(total, count)], text, len(ids), total, marker)


def spread(total: int, count: int | None) -> np.ndarray:
    """Indices of ``count`` windows spread evenly over ``total`` (all for None), first and last third included."""
    if count is None:
        return np.arange(total)
    if not 1 <= count <= total:
        raise SparsitySolverError(f"{count} windows asked for; the text has {total}.")
    return ((np.arange(count) + 0.5) * total / count).astype(int)
