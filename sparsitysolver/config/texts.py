"""Known texts: whether what was scored is the published text, by its hash (no torch): ``config/paper/texts.csv``.

The hash of the whole text decides, whatever tokenizer reads it. Token counts only say in words how far off a text is:
they are known for the tokenizers of the published models, and a count alone proves nothing.
"""

import csv
import functools
from dataclasses import dataclass

from sparsitysolver import CONFIG
from sparsitysolver.config.registry import models_table

KNOWN = CONFIG / "paper" / "texts.csv"
FAMILIES = ("opt", "llama", "mistral")  # columns of token counts, BOS included


@dataclass(frozen=True)
class KnownText:
    """A text by its hash.

    Attributes:
        task: the perplexity task it is scored in.
        split: the split it stands for.
        sha256: hash of the joined text.
        published: whether published perplexities of the task and split are those of this text.
        name: what it is called.
        tokens: how many tokens a published model's tokenizer makes of it, BOS included, by model family.
    """

    task: str
    split: str
    sha256: str
    published: bool
    name: str
    tokens: dict[str, int]


@functools.cache
def known_texts() -> tuple[KnownText, ...]:
    """Every row of ``config/paper/texts.csv``."""
    with KNOWN.open(newline="") as handle:
        return tuple(
            KnownText(
                task=row["task"],
                split=row["split"],
                sha256=row["sha256"],
                published=row["published"] == "yes",
                name=row["text"],
                tokens={family: int(row[family]) for family in FAMILIES if row[family]},
            )
            for row in csv.DictReader(handle)
        )


def not_the_text(task: str, split: str, sha256: str, tokens: int | None = None, model: str = "") -> str:
    """Why a text is not the one whose perplexities are published; empty where it is, or where none is known.

    Args:
        task: the perplexity task.
        split: the split scored.
        sha256: hash of the text scored; empty where it is not recorded.
        tokens: how many tokens it has, BOS included; None where not recorded.
        model: key of the model whose tokenizer they are of; what a tokenizer makes of the published text is known for
            the paper's models only.
    """
    published = [text for text in known_texts() if text.published and (text.task, text.split) == (task, split)]
    if not published or any(text.sha256 == sha256 for text in published):
        return ""
    found = next((text.name for text in known_texts() if text.sha256 == sha256), "")
    registered = models_table().get(model)
    family = registered.family if registered and registered.paper_name else ""
    count = "" if tokens is None else _counted(tokens, published[0].tokens.get(family))
    return f"not {published[0].name}{f' ({count})' if count else ''}{f': {found}' if found else ''}"


def _counted(tokens: int, expected: int | None) -> str:
    if expected is None:
        return f"{tokens} tokens"
    return f"{tokens} tokens, but other ones" if tokens == expected else f"{tokens} tokens instead of {expected}"
