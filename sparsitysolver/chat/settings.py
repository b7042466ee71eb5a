"""How a chat model is asked (no torch)."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.records.files import Json


@dataclass(frozen=True)
class ChatSettings:
    """None leaves ``temperature`` or ``max_tokens`` to the model; times are in seconds.

    A request that fails is tried up to ``attempts`` times in all, after ``backoff``, twice that, and so on, or after
    what the endpoint asks for; it is not tried again where that is more than ``longest_wait``.
    """

    temperature: float | None = 1.0
    max_tokens: int | None = 16384
    send_seed: bool = True  # some endpoints refuse the field
    attempts: int = 6
    backoff: float = 2.0
    longest_wait: float = 120.0
    timeout: float = 600.0

    @classmethod
    def from_options(cls, options: Sequence[str]) -> "ChatSettings":
        """Settings from ``name=value`` of the command line; checked."""
        given: Json = {}
        for option in options:
            name, equals, text = option.partition("=")
            if not equals:
                raise SparsitySolverError(f"--chat-set {option}: name=value is needed.")
            if name not in {field.name for field in fields(cls)}:
                raise unknown_name("setting of --chat-set", name, [field.name for field in fields(cls)])
            given[name] = _value(text)
        return cls(**given).check()

    def check(self) -> "ChatSettings":
        """Refuse what nothing can be asked with."""
        self._need("attempts", "a whole number of at least 1", whole=True, least=1)
        self._need("max_tokens", "a whole number of at least 1, or none", whole=True, least=1, optional=True)
        self._need("temperature", "a number of at least 0, or none", least=0, optional=True)
        self._need("backoff", "seconds, at least 0", least=0)
        self._need("longest_wait", "seconds, at least 0", least=0)
        self._need("timeout", "seconds, above 0", least=1e-3)
        if not isinstance(self.send_seed, bool):
            raise SparsitySolverError(f"chat setting send_seed = {self.send_seed}: true or false is needed.")
        return self

    def _need(self, name: str, needed: str, least: float, whole: bool = False, optional: bool = False) -> None:
        value = getattr(self, name)
        if value is None and optional:
            return
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not (number and least <= value < math.inf):
            raise SparsitySolverError(f"chat setting {name} = {value}: {needed} is needed.")

    def sampling(self) -> Json:
        """What decides a reply besides model, messages and seed."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens, "send_seed": self.send_seed}

    def record(self) -> Json:
        """All of it, as a strategy keeps it."""
        return asdict(self)


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text  # refused by the check, which names what is needed
