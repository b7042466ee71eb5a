"""``config/arena.yaml``: which searches meet, on which problems, and how they are judged (no torch)."""

import functools
from typing import Any, Literal

from pydantic import ConfigDict

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_yaml

Number = int | float  # as written: keys of records are over the file's content


class Setting(Contract):
    """A problem; ``pareto``: other sparsities, from the effects that the surrogate search measured."""

    granularity: Literal["structured", "unstructured"]
    sparsity: str
    pareto: tuple[Number, ...] = ()


class Entrant(Contract):
    """A search: its label, its algorithm where that is not its name, and any option of ``search``, which judges it."""

    model_config = ConfigDict(extra="allow")

    label: str
    algorithm: str | None = None
    chat: bool = False  # needs a chat model, and runs where one is given

    @property
    def options(self) -> dict[str, Any]:
        """Options of ``sparsitysolver search`` that are its own."""
        return self.model_dump(exclude={"label", "chat"}, exclude_unset=True)


class Line(Contract):
    """An allocation without a search: that of a baseline, with its ``options``."""

    label: str
    options: dict[str, Number | str] = {}


class ArenaDefinition(Contract):
    """The whole file, whose comments say what is what."""

    seeds: int
    settings: tuple[Setting, ...]
    reference: str
    validation_windows: int
    test_windows: int
    shares: tuple[Number, ...]
    entrants: dict[str, Entrant]
    lines: dict[str, Line]


@functools.cache
def definition() -> ArenaDefinition:
    """The file as it stands."""
    return read_yaml(CONFIG / "arena.yaml", ArenaDefinition)
