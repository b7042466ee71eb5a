"""What answers a prompt, and what an answer is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.records.files import Json

Messages = Sequence[dict[str, str]]  # of "role" and "content", as chat models take them


@dataclass(frozen=True)
class Reply:
    """An answer. ``model`` is who says it answered, ``usage`` its tokens where they are known.

    ``finish`` is ``stop``, or ``length`` where the answer was cut; ``attempts`` is how often it had to be asked.
    """

    text: str
    model: str
    usage: dict[str, int] | None = None
    finish: str | None = None
    attempts: int = 1


class Driver(Protocol):
    """A chat model."""

    settings: ChatSettings

    def identity(self) -> Json:
        """``kind``, ``model`` and ``url`` (or None), and what else names the model; nothing secret."""

    def complete(self, messages: Messages, seed: int) -> Reply:
        """Answer, or say in a :class:`SparsitySolverError` why there is no answer."""
