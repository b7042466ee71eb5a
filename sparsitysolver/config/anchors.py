"""Dense anchors: the perplexities that tell whether model, text and protocol are the published ones (no torch)."""

import functools
import json
from collections.abc import Sequence

from sparsitysolver import CONFIG
from sparsitysolver.config.assets import BUNDLED
from sparsitysolver.config.contract import Contract, read_rows

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


@functools.cache
def published() -> list[Anchor]:
    """Every row of ``config/paper/dense.csv``."""
    return read_rows(CONFIG / "paper" / "dense.csv", Anchor)


def published_anchors(model: str) -> list[Anchor]:
    """The published values of a model, by its key in ``config/models.tsv``."""
    return [anchor for anchor in published() if anchor.model == model]


def anchors(model: str) -> list[Anchor]:
    """Known values of a model: published ones, or that of a bundled model's training record."""
    training = BUNDLED / model / "training.json"
    if not training.is_file():
        return published_anchors(model)
    record = json.loads(training.read_text())
    return [
        Anchor(
            model=model,
            dataset="mini",
            split=STANDARD_SPLIT,
            seqlen=record["window_tokens"],
            ppl=record["test_ppl"],
            tolerance=_BUNDLED_TOLERANCE * record["test_ppl"],
            source="the model's training record",
        )
    ]


def standard_anchor(known: Sequence[Anchor], task: str) -> Anchor | None:
    """The value expected under the standard protocol on a text, None where none is known."""
    return next((a for a in known if a.dataset == task and a.split == STANDARD_SPLIT and not a.diagnosis), None)
