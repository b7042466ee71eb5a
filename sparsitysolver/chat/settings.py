"""A chat model: how it is asked, and what it answers (no torch)."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.records.files import Json

# A number stays what it was given as: 1 and 1.0 are two keys of what is made with them.
_NotNegative = Annotated[int | float, Field(ge=0)]
_Whole = Annotated[int, Field(ge=1)]
_NEEDED = {
    "temperature": "a number of at least 0, or none",
    "max_tokens": "a whole number of at least 1, or none",
    "send_seed": "true or false",
    "attempts": "a whole number of at least 1",
    "backoff": "seconds, at least 0",
    "longest_wait": "seconds, at least 0",
    "timeout": "seconds, above 0",
}
Messages = Sequence[dict[str, str]]  # of "role" and "content", as chat models take them


@dataclass(frozen=True, config=ConfigDict(strict=True, allow_inf_nan=False))
class ChatSettings:
    """None leaves ``temperature`` or ``max_tokens`` to the model; times are in seconds.

    A request that fails is tried up to ``attempts`` times in all, after ``backoff``, twice that, and so on, or after
    what the endpoint asks for; it is not tried again where that is more than ``longest_wait``.
    """

    temperature: _NotNegative | None = 1.0
    max_tokens: _Whole | None = 16384
    send_seed: bool = True  # some endpoints refuse the field
    attempts: _Whole = 6
    backoff: _NotNegative = 2.0
    longest_wait: _NotNegative = 120.0
    timeout: Annotated[int | float, Field(gt=0)] = 600.0

    @classmethod
    def from_options(cls, options: Sequence[str]) -> "ChatSettings":
        """Settings from ``name=value`` of the command line; checked."""
        given: dict[str, Any] = {}
        for option in options:
            name, equals, text = option.partition("=")
            if not equals:
                raise SparsitySolverError(f"--chat-set {option}: name=value is needed.")
            try:
                given[known("setting of --chat-set", name, _NEEDED)] = json.loads(text)
            except ValueError:
                given[name] = None if text.lower() == "none" else text  # other text is refused below
        try:
            return cls(**given)
        except ValidationError as error:
            name = error.errors()[0]["loc"][0]
            raise SparsitySolverError(f"chat setting {name} = {given[name]}: {_NEEDED[name]} is needed.") from None

    def sampling(self) -> dict[str, Any]:
        """What decides a reply besides model, messages and seed."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens, "send_seed": self.send_seed}


@dataclasses.dataclass(frozen=True)
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
    """A chat model: an endpoint's, or one of this machine."""

    settings: ChatSettings

    def identity(self) -> Json:
        """``kind``, ``model`` and ``url`` (or None), and what else names the model; nothing secret."""

    def complete(self, messages: Messages, seed: int) -> Reply:
        """Answer, or say in a :class:`SparsitySolverError` why there is no answer."""
