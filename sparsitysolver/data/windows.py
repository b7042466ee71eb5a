"""Texts as token ids: with what a tokenizer puts first, without what it appends, and within the model's embedding.

Evaluation windows are a text tokenised once, cut into contiguous windows, the last partial one dropped.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsitysolver.config.bos import EVERY, FIRST
from sparsitysolver.data.sources import Text
from sparsitysolver.data.token_cache import token_ids
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import content_key

_PROBES = 100  # words of a tokenizer's vocabulary that are tried


@dataclass(frozen=True)
class Added:
    """Token ids that a tokenizer puts before and after every text on its own: mostly a BOS, at times an EOS."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def without_end(self, ids: list[int]) -> list[int]:
        """Ids of a text without what was appended to it.

        What follows an appended EOS is another text: a stream or a request goes on instead.
        """
        count = len(self.after)
        return ids[:-count] if count and tuple(ids[-count:]) == self.after else ids


def added_tokens(tokenizer: Any) -> Added:
    """What a tokenizer adds to texts, found by tokenising one with and without."""
    for text in _probes(tokenizer):
        bare = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        # an unknown token may be the BOS at once: then nobody could tell what was added
        if bare and set(bare).isdisjoint(tokenizer.all_special_ids):
            whole = tokenizer(text, verbose=False).input_ids
            for at in range(len(whole) - len(bare) + 1):
                if whole[at : at + len(bare)] == bare:
                    return Added(tuple(whole[:at]), tuple(whole[at + len(bare) :]))
    return Added()


def _probes(tokenizer: Any) -> Iterator[str]:
    """Texts to tokenise: letters, for tokenizers of words that know none some of their words."""
    yield from ("a", "1")
    yield from itertools.islice(tokenizer.get_vocab(), _PROBES)


def encode(tokenizer: Any, text: str, special: bool = True) -> list[int]:
    """Token ids of a text as it is tokenised everywhere here; ``special``: with the tokenizer's own (a BOS) first."""
    ids = token_ids(tokenizer, text, special)
    return added_tokens(tokenizer).without_end(ids) if special else ids


def bos_token(tokenizer: Any) -> int:
    """The id of a tokenizer's BOS token, whether it adds it to texts or not; an error where it has none."""
    token = getattr(tokenizer, "bos_token_id", None)
    if token is None:
        raise SparsitySolverError(
            "a BOS before every window asked for (--bos every), and the model's tokenizer has no BOS token; take --bos "
            "first (what the tokenizer itself adds) or none."
        )
    return token


def led_by(token: int | None, ids: np.ndarray) -> np.ndarray:
    """Token ids (windows, tokens) with one more in front of each window; as they are for None."""
    if token is None:
        return ids
    return np.concatenate([np.full((len(ids), 1), token, dtype=ids.dtype), ids], axis=1)


def ids_sha256(ids: np.ndarray) -> str:
    """Hash of shape and ids: the same text by another tokenizer has another one."""
    return content_key([list(ids.shape), ids.astype(np.int32).tobytes().hex()], 64)


def check_ids(ids: Iterable[int] | np.ndarray, vocabulary: int, what: str) -> None:
    """Refuse token ids that the model, whose embedding has ``vocabulary`` rows, has none for; ``what`` they are of.

    A tokenizer may have fewer tokens (padded embeddings) or more (added and never used): what counts is what occurs.
    """
    values = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
    if values.size and (values.max() >= vocabulary or values.min() < 0):
        raise SparsitySolverError(
            f"{what} gives token ids up to {values.max()}, and the model's embedding has {vocabulary} rows (ids up to "
            f"{vocabulary - 1}): the tokenizer has tokens that the model was not given. Use the model's own tokenizer, "
            "or a model whose embedding was resized with it."
        )


@dataclass(frozen=True)
class Windows:
    """``ids`` (windows, seqlen) int32 and what they were cut from.

    ``bos`` is the token that the stream begins with, ``every`` where one stands before each window, or ``none``.
    """

    ids: np.ndarray
    text: Text
    total_tokens: int
    total_windows: int
    bos: str
    eos: str = "none"
    rule: str = FIRST
    token: int | None = None  # that is read before each window, which it is no part of

    @property
    def sha256(self) -> str:
        """Hash of the ids: windows of another tokenizer have another one."""
        return ids_sha256(self.ids)

    @property
    def seqlen(self) -> int:
        """Window length in tokens."""
        return self.ids.shape[1]

    @property
    def lead(self) -> int:
        """Tokens before each window that are read and not scored."""
        return int(self.token is not None)

    @property
    def read(self) -> np.ndarray:
        """Token ids (windows, lead + seqlen) as the model reads them."""
        return led_by(self.token, self.ids)


def cut_windows(
    text: Text, tokenizer: Any, seqlen: int, count: int | None = None, bos: str = FIRST, *, vocabulary: int
) -> Windows:
    """Tokenise a text once (with the tokenizer's own BOS, without what it appends) and cut it (protocol decision 1).

    Windows of ``seqlen`` tokens: all of them, or ``count`` spread evenly over the text. ``bos``: a rule of
    ``config/bos.py``. ``vocabulary``: see :func:`check_ids`.
    """
    own, token = bos == FIRST, bos_token(tokenizer) if bos == EVERY else None
    ids = np.asarray(encode(tokenizer, text.joined, own), dtype=np.int32)
    total = len(ids) // seqlen
    if total == 0:
        raise SparsitySolverError(
            f"text '{text.location}' is shorter than one window: {len(ids)} tokens found, {seqlen} needed."
        )
    windows = ids[: total * seqlen].reshape(total, seqlen)[spread(total, count)]
    check_ids(windows, vocabulary, f"text '{text.location}'")
    check_ids([] if token is None else [token], vocabulary, "the tokenizer's BOS")
    marker = str(ids[0]) if own and ids[0] in (getattr(tokenizer, "all_special_ids", None) or []) else "none"
    eos = "left out" if own and added_tokens(tokenizer).after else "none"
    return Windows(windows, text, len(ids), total, marker if token is None else EVERY, eos, bos, token)


def spread(total: int, count: int | None) -> np.ndarray:
    """Indices of ``count`` windows spread evenly over ``total`` (all for None), first and last third included."""
    if count is None:
        return np.arange(total)
    if not 1 <= count <= total:
        raise SparsitySolverError(f"{count} windows asked for; the text has {total}.")
    return ((np.arange(count) + 0.5) * total / count).astype(int)
