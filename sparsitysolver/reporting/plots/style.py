"""How a method looks in every figure: ``looks.yaml``, one registry for all (and a rule for methods to come)."""

import functools
import hashlib
import itertools
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import style as mpl_style
from matplotlib.lines import Line2D

from sparsitysolver.config.contract import Contract, read_yaml

_HERE = Path(__file__).parent


class Style(Contract):
    """Colour, marker and line; ``label`` is that of a kind of units."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[int, ...]] = "-"
    hollow: bool = False
    label: str = ""

    def of_line(self) -> dict[str, Any]:
        """Arguments of ``Axes.plot``."""
        face = "white" if self.hollow else self.colour
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line, "markerfacecolor": face}

    def handle(self) -> Line2D:
        """What a legend shows."""
        return Line2D([], [], **self.of_line())


class Looks(Contract):
    """The whole file, whose comments say what is what."""

    colours: tuple[str, ...]
    methods: dict[str, Style]
    spare: dict[str, tuple[str, ...]]
    kinds: dict[str, Style]
    series: tuple[Style, ...]
    stages: tuple[Style, ...]


@functools.cache
def looks() -> Looks:
    """The file as it stands."""
    return read_yaml(_HERE / "looks.yaml", Looks)


def method_styles(keys: Iterable[str]) -> dict[str, Style]:
    """Looks of the methods of one figure, in the order of legends: as registered, then those to come by key.

    The look of one to come follows from its key alone, or is the next one that no other method has.
    """
    known, found = looks().methods, {}
    combined = itertools.product(*looks().spare.values())
    spare = [Style(**dict(zip(looks().spare, values, strict=True))) for values in combined]
    spare = [style for style in spare if style not in known.values()]
    for key in sorted(set(keys)):
        first = int(hashlib.sha256(key.encode()).hexdigest(), 16) % len(spare)
        free = (style for style in spare[first:] + spare[:first] if style not in found.values())
        found[key] = known[key] if key in known else next(free)
    return {key: found[key] for key in [*known, *found] if key in found}


def style_sheet() -> AbstractContextManager[None]:
    """The style of all figures, whatever the user's own settings of matplotlib are."""
    return mpl_style.context(_HERE / "style.mplstyle", after_reset=True)
