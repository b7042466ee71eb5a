"""Token ids of long texts, kept in the user's cache: many jobs of a grid cut windows out of one and the same text."""

import contextlib
import hashlib
from typing import Any

import numpy as np
import tokenizers
import transformers

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.file_hashes import user_cache
from sparsitysolver.records.files import atomic_path, content_key

_LONG = 1_000_000  # characters: a shorter text is tokenised sooner than its ids are looked up


def token_ids(tokenizer: Any, text: str, special: bool) -> list[int]:
    """Ids that a tokenizer gives a text, ``special``: with what it adds on its own, as ``tokenizer(text)`` does.

    Those of a long text are kept by what decides them: the text, the whole tokenizer and the versions of its libraries.
    """
    if len(text) < _LONG or not tokenizer.is_fast:
        return tokenizer(text, add_special_tokens=special, verbose=False).input_ids
    whole = [tokenizer.backend_tokenizer.to_str(), text]
    decided_by = [hashlib.sha256(part.encode()).hexdigest() for part in whole]
    decided_by += [type(tokenizer).__name__, special, tokenizers.__version__, transformers.__version__]
    path = user_cache() / "tokens" / f"{content_key(decided_by, 32)}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # not there, or not whole
        return np.load(path, allow_pickle=False).tolist()
    ids = tokenizer(text, add_special_tokens=special, verbose=False).input_ids
    # where nothing can be written, nothing is
    with contextlib.suppress(SparsitySolverError), atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, np.asarray(ids, dtype=np.int32))
    return ids
