"""Dense perplexities and texts that are published: whether model, text and protocol are the published ones (no torch).

The hash of the whole text decides, whatever tokenizer reads it. Token counts only say in words how far off a text is:
they are known for the tokenizers of the published models, and a count alone proves nothing.
"""

import functools
import json
from collections.abc import Sequence

from sparsitysolver import CONFIG
from sparsitysolver.config.assets import BUNDLED
from sparsitysolver.config.bos import EVERY, FIRST
from sparsitysolver.config.contract import Contract, read_rows
from sparsitysolver.config.registry import models_table

STANDARD_SPLIT = "test"  # published dense perplexities are test-split numbers
_BUNDLED_TOLERANCE = 0.02  # of the perplexity in a training record


class Anchor(Contract):
    """A known dense perplexity; ``diagnosis`` is empty for the standard protocol, else what the value gives away."""

    model: str
    dataset: str
    split: str
    seqlen: int
    ppl: float
    tolerance: float
    source: str
    diagnosis: str = ""
    bos: str = FIRST  # a rule of config/bos.py


class KnownText(Contract):
    """A text of a perplexity task and split, by its hash."""

    task: str
    split: str
    sha256: str  # of the joined text
    published: bool  # published perplexities of the task and split are those of this text
    text: str  # what it is called
    opt: int | None = None  # tokens by the tokenizer of a published model of the family, BOS included
    llama: int | None = None
    mistral: int | None = None
    source: str


published = functools.partial(read_rows, CONFIG / "paper" / "dense.csv", Anchor)  # all published values
known_texts = functools.partial(read_rows, CONFIG / "paper" / "texts.csv", KnownText)


def published_anchors(model: str) -> list[Anchor]:
    """The published values of a model, by its key in ``config/models.tsv``."""
    return [anchor for anchor in published() if anchor.model == model]


def anchors(model: str) -> list[Anchor]:
    """Known values of a model: published ones, or that of a bundled model's training record."""
    training = BUNDLED / model / "training.json"
    if not training.is_file():
        return published_anchors(model)
    record = json.loads(training.read_text())
    where = {"model": model, "dataset": "mini", "split": STANDARD_SPLIT, "seqlen": record["window_tokens"]}
    tolerance = _BUNDLED_TOLERANCE * record["test_ppl"]
    return [Anchor(**where, ppl=record["test_ppl"], tolerance=tolerance, source="the model's training record")]


def standard_anchor(known: Sequence[Anchor], task: str) -> Anchor | None:
    """The value expected under the standard protocol on a text, None where none is known."""
    return next((a for a in known if a.dataset == task and a.split == STANDARD_SPLIT and not a.diagnosis), None)


def other_bos(bos: str, published: str = FIRST) -> str:
    """Why a number is none of the published protocol by its BOS, as fingerprints state that; empty where it may be.

    A BOS before every window gives each of them a token more to look back at, and some models another perplexity
    altogether; numbers are published with what the tokenizer puts at the head of the text, unless the registry says so.
    """
    if (bos == EVERY) == (published == EVERY):
        return ""
    here, there = ("before every window", "at most once, at the head of the text")[:: 1 if bos == EVERY else -1]
    return f"a BOS {here} instead of {there}"


def not_the_text(task: str, split: str, sha256: str, tokens: int | None = None, model: str = "") -> str:
    """Why the text scored is not the one whose perplexities are published; empty where it is, or where none is known.

    ``sha256`` is empty and ``tokens`` (BOS included) is None where not recorded; ``model`` is the key of the model
    whose tokenizer they are of: what that makes of the published text is known for the paper's models only.
    """
    texts = [text for text in known_texts() if text.published and (text.task, text.split) == (task, split)]
    if not texts or any(text.sha256 == sha256 for text in texts):
        return ""
    registered = models_table().get(model)
    expected = getattr(texts[0], registered.family, None) if registered and registered.paper_name else None
    of_other = "" if expected is None else ", but other ones" if tokens == expected else f" instead of {expected}"
    count = "" if tokens is None else f" ({tokens} tokens{of_other})"
    found = next((f": {text.text}" for text in known_texts() if text.sha256 == sha256), "")
    return f"not {texts[0].text}{count}{found}"
