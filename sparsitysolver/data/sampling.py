"""Calibration windows: each method's own sampler, over any text source (methods' official code, re-implemented).

All samplers draw with Python's ``random`` (as the official loaders of Wanda, SparseGPT and FLAP do) or document the
generator they replace, so the same text, tokenizer and seed give the same windows everywhere.
"""

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sparsitysolver.data.sources import PARAGRAPH, Text, load_text
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.records import Json, content_key, read_json
from sparsitysolver.registry import Assets, is_zero_shot

_TRIES = 10_000  # random draws without success before a text is declared too short for its windows
_SVD_LLM_CHARACTERS = 10  # characters drawn per wanted token


@dataclass(frozen=True)
class Calibration:
    """Which windows to draw: text source, sampler, number of windows, window length in tokens, seed.

    A source may be a zero-shot task: its own text, of the items that ``items`` names.
    """

    source: str
    sampler: str = "gptq"
    nsamples: int = 64
    seqlen: int = 2048
    seed: int = 0
    items: str = "search"


@dataclass(frozen=True)
class Sample:
    """Drawn windows: ``ids`` (nsamples, seqlen) int32, their hash, and how they were drawn."""

    ids: np.ndarray
    origin: Json

    @property
    def sha256(self) -> str:
        """Hash of shape and ids: what a statistic computed from them is keyed by."""
        return content_key([list(self.ids.shape), self.ids.astype(np.int32).tobytes().hex()], 64)

    def record(self) -> Json:
        """What a cell keeps of its calibration."""
        return {**self.origin, "tokens": int(self.ids.size), "sha256": self.sha256}


def sample(calibration: Calibration, tokenizer: Any, assets: Assets, vocabulary: int) -> Sample:
    """Draw calibration windows, or read them from a ``.npy`` file (which is used whole, as it is)."""
    if calibration.source.endswith(".npy"):
        return read_ids(calibration.source, vocabulary)
    if calibration.sampler not in SAMPLERS:
        raise unknown_name("calibration sampler", calibration.sampler, SAMPLERS)
    if calibration.nsamples < 1:
        raise SparsitySolverError(f"{calibration.nsamples} calibration windows asked for; at least 1 is needed.")
    if calibration.seqlen < 2:
        raise SparsitySolverError(f"window length {calibration.seqlen} asked for; at least 2 tokens are needed.")
    text = _text(calibration, assets)
    rng = random.Random(calibration.seed)
    rows = SAMPLERS[calibration.sampler](text, tokenizer, calibration.nsamples, calibration.seqlen, rng)
    origin = {name: value for name, value in asdict(calibration).items() if name != "items"} | {
        "source": text.source,
        "split": text.split,
        "text_sha256": text.sha256,
        "revision": text.revision,
    }
    return Sample(np.asarray(rows, dtype=np.int32), origin)


def _text(calibration: Calibration, assets: Assets) -> Text:
    if not is_zero_shot(calibration.source):
        return load_text(calibration.source, "train", assets)
    from sparsitysolver.data.items import load_items, task_text  # lm-eval takes seconds to import

    return task_text(load_items(calibration.source, calibration.items, assets))


def read_ids(path: str, vocabulary: int) -> Sample:
    """Token ids of shape (nsamples, seqlen) from a ``.npy`` file."""
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
    return replace(drawn, origin=_recorded_origin(path, drawn) or origin)


def record_path(path: str | Path) -> Path:
    """Where ``sample`` notes how the ids of a file were drawn."""
    return Path(f"{path}.json")


def _recorded_origin(path: str, drawn: Sample) -> Json | None:
    """How a file's ids were drawn, if a record beside it says so of exactly these ids."""
    if not record_path(path).is_file():
        return None
    origin = read_json(record_path(path), "calibration record")
    if origin.pop("sha256", None) != drawn.sha256:
        return None
    origin.pop("tokens", None)
    return origin


def _encode(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, verbose=False).input_ids


def _too_short(text: Text, tokens: int, seqlen: int) -> SparsitySolverError:
    return SparsitySolverError(
        f"calibration text '{text.source}' is too short: {tokens} tokens found, a window needs more than {seqlen}. "
        "Give a shorter --seqlen or a longer text."
    )


def gptq(text: Text, tokenizer: Any, nsamples: int, seqlen: int, rng: random.Random) -> list[list[int]]:
    """The loader of SparseGPT and Wanda (and FLAP): documents for C4, random offsets in one joined text otherwise.

    C4 and files of documents: draw documents until one is longer than ``seqlen``, then a random window in it. Single
    texts (WikiText-2 train, rows joined with a blank): random token offsets.
    """
    if len(text.documents) > 1 and text.separate:
        return [_document_window(text, tokenizer, seqlen, rng) for _ in range(nsamples)]
    ids = _encode(tokenizer, " ".join(text.documents))
    if len(ids) <= seqlen + 1:
        raise _too_short(text, len(ids), seqlen)
    starts = [rng.randint(0, len(ids) - seqlen - 1) for _ in range(nsamples)]
    return [ids[start : start + seqlen] for start in starts]


def _document_window(text: Text, tokenizer: Any, seqlen: int, rng: random.Random) -> list[int]:
    longest = 0
    for _ in range(_TRIES):
        ids = _encode(tokenizer, text.documents[rng.randint(0, len(text.documents) - 1)])
        longest = max(longest, len(ids))
        if len(ids) > seqlen:
            start = rng.randint(0, len(ids) - seqlen - 1)
            return ids[start : start + seqlen]
    raise SparsitySolverError(
        f"calibration text '{text.source}' is too short: {longest} tokens in the longest document drawn, a window "
        f"needs more than {seqlen} of one document. Give a shorter --seqlen, or plain text, whose windows lie anywhere."
    )


def slicegpt(text: Text, tokenizer: Any, nsamples: int, seqlen: int, rng: random.Random) -> list[list[int]]:
    """SliceGPT's loader: from a random non-empty line on, lines joined with a blank line until a window is full.

    The joined text is tokenised anew and cut, so each window starts with the tokenizer's own BOS. The official code
    draws lines with torch's generator; here Python's draws them.
    """
    lines = [line for document in text.documents for line in document.split("\n") if line.strip()]
    order = rng.sample(range(len(lines)), len(lines))
    windows: list[list[int]] = []
    for start in order:
        ids = _fill(lines, start, tokenizer, seqlen)
        if ids is not None:
            windows.append(ids)
        if len(windows) == nsamples:
            return windows
    if windows:
        raise SparsitySolverError(
            f"calibration text '{text.source}' gives {len(windows)} windows of {seqlen} tokens; {nsamples} are wanted."
        )
    raise _too_short(text, len(_encode(tokenizer, text.joined)), seqlen)


def _fill(lines: list[str], start: int, tokenizer: Any, seqlen: int) -> list[int] | None:
    end, ids = start, []
    while len(ids) < seqlen and end < len(lines):
        # Lines are added in steps of about the missing tokens, so long windows need few tokenizer calls.
        end = min(len(lines), end + max(1, (seqlen - len(ids)) // 64))
        ids = _encode(tokenizer, PARAGRAPH.join(lines[start:end]))
    return ids[:seqlen] if len(ids) >= seqlen else None


def svd_llm(text: Text, tokenizer: Any, nsamples: int, seqlen: int, rng: random.Random) -> list[list[int]]:
    """SVD-LLM's loader: random character offsets, ten characters a token, tokenised with BOS and cut.

    Windows that come out too short are drawn again (the official code drops them silently).
    """
    whole, span = text.joined, _SVD_LLM_CHARACTERS * seqlen
    if len(whole) <= span + 1:
        span = len(whole) // 2
    windows: list[list[int]] = []
    for _ in range(_TRIES + nsamples):
        start = rng.randint(0, len(whole) - span - 1)
        ids = _encode(tokenizer, whole[start : start + span])
        if len(ids) >= seqlen:
            windows.append(ids[:seqlen])
        if len(windows) == nsamples:
            return windows
    raise _too_short(text, len(_encode(tokenizer, whole)), seqlen)


SAMPLERS: dict[str, Callable[[Text, Any, int, int, random.Random], list[list[int]]]] = {
    "gptq": gptq,
    "slicegpt": slicegpt,
    "svd_llm": svd_llm,
}
