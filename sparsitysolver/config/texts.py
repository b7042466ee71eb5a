"""Known texts: whether what was scored is the published text, by its hash (no torch): ``config/paper/texts.csv``.

The hash of the whole text decides, whatever tokenizer reads it. Token counts only say in words how far off a text is:
they are known for the tokenizers of the published models, and a count alone proves nothing.
"""

import functools

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_rows
from sparsitysolver.config.registry import models_table


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

    @property
    def tokens(self) -> dict[str, int]:
        """Known token counts by model family."""
        return self.model_dump(include={"opt", "llama", "mistral"}, exclude_none=True)


@functools.cache
def known_texts() -> tuple[KnownText, ...]:
    """Every row of ``config/paper/texts.csv``."""
    return tuple(read_rows(CONFIG / "paper" / "texts.csv", KnownText))


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
    found = next((text.text for text in known_texts() if text.sha256 == sha256), "")
    registered = models_table().get(model)
    family = registered.family if registered and registered.paper_name else ""
    count = "" if tokens is None else _counted(tokens, published[0].tokens.get(family))
    return f"not {published[0].text}{f' ({count})' if count else ''}{f': {found}' if found else ''}"


def _counted(tokens: int, expected: int | None) -> str:
    if expected is None:
        return f"{tokens} tokens"
    return f"{tokens} tokens, but other ones" if tokens == expected else f"{tokens} tokens instead of {expected}"
