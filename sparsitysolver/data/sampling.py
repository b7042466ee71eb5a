"""Calibration windows: each method's own sampler, over any text source (methods' official code, re-implemented).

Samplers tokenise with what the tokenizer puts first, or without special tokens (``own`` false). They draw with a
generator of their own, of the kind the official loaders draw with (Python's, and torch's for SliceGPT), so the same
text, tokenizer and seed give the same windows everywhere.
"""

import functools
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.bos import EVERY, FIRST, NONE
from sparsitysolver.config.registry import is_zero_shot
from sparsitysolver.data.sources import PARAGRAPH, Text, load_text
from sparsitysolver.data.windows import check_ids, encode, ids_sha256, led_by
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.records.files import Json, read_json

_TRIES = 10_000  # random draws without success before a text is declared too short for its windows


@dataclass(frozen=True)
class Calibration:
    """Which windows to draw: text source, sampler, number of windows, window length in tokens, seed.

    A source may be a zero-shot task: its own text, of the items that ``items`` names. ``bos`` is a rule of
    ``config/bos.py``; the token of ``every`` is put in front by :meth:`Sample.led`, when windows are used.
    """

    source: str
    sampler: str = "gptq"
    nsamples: int = 64
    seqlen: int = 2048
    seed: int = 0
    items: str = "search"
    bos: str = FIRST


@dataclass(frozen=True)
class Sample:
    """Drawn windows: ``ids`` (nsamples, seqlen) int32, their hash, and how they were drawn."""

    ids: np.ndarray
    origin: Json

    @property
    def sha256(self) -> str:
        """Hash of shape and ids: what a statistic computed from them is keyed by."""
        return ids_sha256(self.ids)

    def record(self) -> Json:
        """What a cell keeps of its calibration."""
        return {**self.origin, "tokens": int(self.ids.size), "sha256": self.sha256}

    def led(self, token: int, vocabulary: int) -> "Sample":
        """The windows with a BOS token before each (nsamples, 1 + seqlen), which the model reads with them.

        It is a token of the forward pass like any other: sums over activations have it (deviation 97).
        """
        check_ids([token], vocabulary, "the tokenizer's BOS")
        if (self.ids[:, 0] == token).all():
            raise SparsitySolverError(
                f"the calibration windows of {self.origin['source']} begin with the BOS token already, and --bos every "
                "puts one before each; give --bos first, which takes a file as it is."
            )
        return Sample(led_by(token, self.ids), self.origin | {"bos": EVERY})


def sample(calibration: Calibration, tokenizer: Any, assets: Assets, vocabulary: int) -> Sample:
    """Draw calibration windows, or read them from a ``.npy`` file (which is used whole, as it is)."""
    source, nsamples, seqlen = calibration.source, calibration.nsamples, calibration.seqlen
    if source.endswith(".npy"):
        return read_ids(source, vocabulary)
    known("calibration sampler", calibration.sampler, SAMPLERS)
    if nsamples < 1:
        raise SparsitySolverError(f"{nsamples} calibration windows asked for; at least 1 is needed.")
    if seqlen < 2:
        raise SparsitySolverError(f"window length {seqlen} asked for; at least 2 tokens are needed.")
    if is_zero_shot(source):
        from sparsitysolver.data.harness import task_text  # lm-eval takes seconds to import
        from sparsitysolver.data.items import load_items

        text = task_text(load_items(source, calibration.items, assets))
    else:
        text = load_text(source, "train", assets)
    own = calibration.bos == FIRST
    drawn = SAMPLERS[calibration.sampler](text, tokenizer, nsamples, seqlen, calibration.seed, own)
    ids = np.asarray(drawn, dtype=np.int32)
    check_ids(ids, vocabulary, f"calibration text '{text.location}'")
    drawing = {name: value for name, value in asdict(calibration).items() if name not in ("items", "bos")}
    drawing |= {} if own else {"bos": NONE}  # so they stand here; who puts a BOS before each says so
    origin = {"source": text.source, "split": text.split, "text_sha256": text.sha256, "revision": text.revision}
    return Sample(ids, drawing | origin)


def read_ids(path: str, vocabulary: int) -> Sample:
    """Token ids of shape (nsamples, seqlen) from a ``.npy`` file.

    A record beside it says how they were drawn, if it is of exactly these ids.
    """
    if not Path(path).is_file():
        raise SparsitySolverError(f"no calibration file at {path}.")
    try:
        ids = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SparsitySolverError(f"calibration file {path} is not a whole .npy array: {error}.") from error
    if ids.ndim != 2 or ids.size == 0 or not np.issubdtype(ids.dtype, np.integer):
        raise SparsitySolverError(
            f"calibration file {path} holds {ids.dtype} of shape {ids.shape}; integer token ids of shape "
            "(nsamples, seqlen) are needed."
        )
    if ids.min() < 0 or ids.max() >= vocabulary:
        raise SparsitySolverError(
            f"calibration file {path} holds token ids {ids.min()} to {ids.max()}; the model's vocabulary has "
            f"{vocabulary}: it was made with another tokenizer."
        )
    origin = {"source": Path(path).name, "sampler": "file", "nsamples": ids.shape[0], "seqlen": ids.shape[1]}
    drawn = Sample(ids.astype(np.int32), origin)
    if record_path(path).is_file():
        recorded = read_json(record_path(path), "calibration record")
        if recorded.get("sha256") == drawn.sha256:
            origin = {name: value for name, value in recorded.items() if name not in ("sha256", "tokens")}
    return replace(drawn, origin=origin)


def record_path(path: str | Path) -> Path:
    """Where ``sample`` notes how the ids of a file were drawn."""
    return Path(f"{path}.json")


def _too_short(text: Text, tokens: int, seqlen: int) -> SparsitySolverError:
    return SparsitySolverError(
        f"calibration text '{text.source}' is too short: {tokens} tokens found, a window needs more than {seqlen}. "
        "Give a shorter --seqlen or a longer text."
    )


def gptq(
    text: Text, tokenizer: Any, nsamples: int, seqlen: int, seed: int, own: bool = True, joint: str = " "
) -> list[list[int]]:
    """The loader of SparseGPT and Wanda (and FLAP): documents for C4, random offsets in one joined text otherwise.

    C4 and files of documents: draw documents until one is longer than ``seqlen``, then a random window in it. Single
    texts (WikiText-2 train, rows joined with a blank): random token offsets.
    """
    rng = random.Random(seed)
    if len(text.documents) > 1 and text.separate:
        return [_document_window(text, tokenizer, seqlen, rng, own) for _ in range(nsamples)]
    ids = encode(tokenizer, joint.join(text.documents), own)
    if len(ids) <= seqlen + 1:
        raise _too_short(text, len(ids), seqlen)
    starts = [rng.randint(0, len(ids) - seqlen - 1) for _ in range(nsamples)]
    return [ids[start : start + seqlen] for start in starts]


def _document_window(text: Text, tokenizer: Any, seqlen: int, rng: random.Random, own: bool) -> list[int]:
    longest = 0
    for _ in range(_TRIES):
        ids = encode(tokenizer, text.documents[rng.randint(0, len(text.documents) - 1)], own)
        longest = max(longest, len(ids))
        if len(ids) > seqlen:
            start = rng.randint(0, len(ids) - seqlen - 1)
            return ids[start : start + seqlen]
    raise SparsitySolverError(
        f"calibration text '{text.source}' is too short: {longest} tokens in the longest document drawn, a window "
        f"needs more than {seqlen} of one document. Give a shorter --seqlen, or plain text, whose windows lie anywhere."
    )


def slicegpt(text: Text, tokenizer: Any, nsamples: int, seqlen: int, seed: int, own: bool = True) -> list[list[int]]:
    """SliceGPT's loader: from a random row on, non-empty rows joined with a blank line until a window is full.

    Rows of WikiText-2 end in a line end of their own, which stays. Rows that were used are taken out, so windows never
    overlap, and one that begins before a gap goes on behind it; a text that is used up begins anew. The joined text is
    tokenised anew and cut, so each window starts with the tokenizer's own BOS. Where that makes fewer tokens than the
    rows did one by one, a row more is taken (the official code pads).
    """
    import torch  # the stages that sample have loaded it for the model's sake

    one = len(text.documents) == 1  # whose lines are the rows, each with its line end
    every = [f"{line}\n" for line in text.documents[0].split("\n")] if one else text.documents
    every = [row for row in every if row.strip()]
    if len(_fill(every, 0, tokenizer, seqlen, own)[0]) < seqlen:
        raise _too_short(text, len(encode(tokenizer, text.joined, own)), seqlen)
    generator = torch.Generator().manual_seed(seed)
    windows: list[list[int]] = []
    rows: list[str] = []
    while len(windows) < nsamples:
        rows = rows or list(every)
        start = int(torch.randint(len(rows), (1,), generator=generator))
        ids, used = _fill(rows, start, tokenizer, seqlen, own)
        del rows[start : start + used]
        if len(ids) == seqlen:
            windows.append(ids)
    return windows


def _fill(rows: list[str], start: int, tokenizer: Any, seqlen: int, own: bool) -> tuple[list[int], int]:
    """A window that begins at a row, as long as the rows last, and how many rows it used."""
    end, tokens = start, 0
    while tokens < seqlen and end < len(rows):
        row = rows[end] if end == start else PARAGRAPH + rows[end]
        tokens += len(tokenizer(row, add_special_tokens=False, verbose=False).input_ids)
        end += 1
    ids = encode(tokenizer, PARAGRAPH.join(rows[start:end]), own)
    while len(ids) < seqlen and end < len(rows):
        end += 1
        ids = encode(tokenizer, PARAGRAPH.join(rows[start:end]), own)
    return ids[:seqlen], end - start


def svd_llm(text: Text, tokenizer: Any, nsamples: int, seqlen: int, seed: int, own: bool = True) -> list[list[int]]:
    """SVD-LLM's loader: random character offsets, ten characters a token, tokenised with BOS and cut.

    Windows that come out too short are drawn again (the official code drops them silently).
    """
    whole, span, rng = text.joined, 10 * seqlen, random.Random(seed)
    if len(whole) <= span + 1:
        span = len(whole) // 2
    windows: list[list[int]] = []
    for _ in range(_TRIES + nsamples):
        start = rng.randint(0, len(whole) - span - 1)
        ids = encode(tokenizer, whole[start : start + span], own)
        if len(ids) >= seqlen:
            windows.append(ids[:seqlen])
        if len(windows) == nsamples:
            return windows
    raise _too_short(text, len(encode(tokenizer, whole, own)), seqlen)


SAMPLERS: dict[str, Callable[[Text, Any, int, int, int, bool], list[list[int]]]] = {
    "gptq": gptq,
    "slicegpt": slicegpt,
    "svd_llm": svd_llm,
    # SVD-LLM's loader for its closed-form update: as GPTQ's, but rows of a text are joined with a blank line
    "svd_llm_update": functools.partial(gptq, joint=PARAGRAPH),
}
