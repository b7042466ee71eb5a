"""How a chat model is asked (no torch)."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from sparsitysolver.errors import SparsitySolverError, unknown_name

# A number stays what it was given as: 1 and 1.0 are two keys of what is made with them.
_Positive = Annotated[int, Field(gt=0)] | Annotated[float, Field(gt=0)]
_NotNegative = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)]
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
    timeout: _Positive = 600.0

    @classmethod
    def from_options(cls, options: Sequence[str]) -> "ChatSettings":
        """Settings from ``name=value`` of the command line; checked."""
        given: dict[str, Any] = {}
        for option in options:
            name, equals, text = option.partition("=")
            if not equals:
                raise SparsitySolverError(f"--chat-set {option}: name=value is needed.")
            if name not in _NEEDED:
                raise unknown_name("setting of --chat-set", name, _NEEDED)
            given[name] = _value(text)
        try:
            return cls(**given)
        except ValidationError as error:
            name = error.errors()[0]["loc"][0]
            raise SparsitySolverError(f"chat setting {name} = {given[name]}: {_NEEDED[name]} is needed.") from None

    def sampling(self) -> dict[str, Any]:
        """What decides a reply besides model, messages and seed."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens, "send_seed": self.send_seed}


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text  # refused by the settings
