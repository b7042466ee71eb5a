"""Dense anchors: the perplexities that tell whether model, text and protocol are the published ones (no torch)."""

import csv
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sparsitysolver import CONFIG
from sparsitysolver.config.assets import BUNDLED

STANDARD_SPLIT = "test"  # published dense perplexities are test-split numbers
_BUNDLED_TOLERANCE = 0.02  # of the perplexity in a training record


@dataclass(frozen=True)
class Anchor:
    """A known dense perplexity; ``diagnosis`` is empty for the standard protocol, else what the value gives away."""

    dataset: str
    split: str
    seqlen: int
    ppl: float
    tolerance: float
    source: str
    diagnosis: str


@functools.cache
def _registry() -> list[dict[str, str]]:
    with (CONFIG / "paper" / "dense.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def published_anchors(model: str) -> list[Anchor]:
    """What ``config/paper/dense.csv`` holds of a model, by its key in ``config/models.tsv``."""
    return [
        Anchor(
            row["dataset"],
            row["split"],
            int(row["seqlen"]),
            float(row["ppl"]),
            float(row["tolerance"]),
            row["source"],
            row["diagnosis"],
        )
        for row in _registry()
        if row["model"] == model
    ]


def anchors(model: str) -> list[Anchor]:
    """Known values of a model: published ones, or that of a bundled model's training record."""
    training = BUNDLED / model / "training.json"
    if not training.is_file():
        return published_anchors(model)
    record = json.loads(training.read_text())
    ppl, seqlen, source = record["test_ppl"], record["window_tokens"], "the model's training record"
    return [Anchor("mini", STANDARD_SPLIT, seqlen, ppl, _BUNDLED_TOLERANCE * ppl, source, "")]


def standard_anchor(known: Sequence[Anchor], task: str) -> Anchor | None:
    """The value expected under the standard protocol on a text, None where none is known."""
    return next((a for a in known if a.dataset == task and a.split == STANDARD_SPLIT and not a.diagnosis), None)
