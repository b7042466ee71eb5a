"""Evaluation windows: a text tokenised once, cut into contiguous windows, the last partial one dropped."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsitysolver.data.sources import Text
from sparsitysolver.data.tokens import added_tokens, check_ids, encode, ids_sha256
from sparsitysolver.errors import SparsitySolverError


@dataclass(frozen=True)
class Windows:
    """``ids`` (windows, seqlen) int32 and what they were cut from."""

    ids: np.ndarray
    text: Text
    total_tokens: int
    total_windows: int
    bos: str
    eos: str = "none"

    @property
    def sha256(self) -> str:
        """Hash of the ids: windows of another tokenizer have another one."""
        return ids_sha256(self.ids)

    @property
    def seqlen(self) -> int:
        """Window length in tokens."""
        return self.ids.shape[1]


def cut_windows(
    text: Text, tokenizer: Any, seqlen: int, count: int | None = None, bos: bool = True, *, vocabulary: int
) -> Windows:
    """Tokenise a text once (with the tokenizer's own BOS, without what it appends) and cut it (protocol decision 1).

    Args:
        text: the split to cut.
        tokenizer: the model's own.
        seqlen: window length in tokens.
        count: None for all windows, else so many, spread evenly over the text.
        bos: False leaves the tokenizer's special tokens out (to diagnose other protocols).
        vocabulary: number of token ids that the model has an embedding for.

    Raises:
        SparsitySolverError: the text is too short for the windows asked for, or has token ids of no embedding.
    """
    ids = np.asarray(encode(tokenizer, text.joined, bos), dtype=np.int32)
    total = len(ids) // seqlen
    if total == 0:
        raise SparsitySolverError(
            f"text '{text.location}' is shorter than one window: {len(ids)} tokens found, {seqlen} needed."
        )
    windows = ids[: total * seqlen].reshape(total, seqlen)[spread(total, count)]
    check_ids(windows, vocabulary, f"text '{text.location}'")
    marker = str(ids[0]) if bos and ids[0] in (getattr(tokenizer, "all_special_ids", None) or []) else "none"
    eos = "left out" if bos and added_tokens(tokenizer).after else "none"
    return Windows(windows, text, len(ids), total, marker, eos)


def spread(total: int, count: int | None) -> np.ndarray:
    """Indices of ``count`` windows spread evenly over ``total`` (all for None), first and last third included."""
    if count is None:
        return np.arange(total)
    if not 1 <= count <= total:
        raise SparsitySolverError(f"{count} windows asked for; the text has {total}.")
    return ((np.arange(count) + 0.5) * total / count).astype(int)
