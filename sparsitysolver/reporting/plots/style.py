"""How a method looks in every figure: colour, marker and line, one registry for all (and a rule for methods to come).

Colours are those of Okabe and Ito (2008), which the colour-blind tell apart; yellow is left out, for it is too light
for lines on paper. No two methods share marker, line and colour, so that prints in grey can be read too.
"""

import functools
import hashlib
import itertools
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import style as mpl_style
from matplotlib.lines import Line2D

BLACK, GREY, ORANGE, SKY = "#000000", "#7f7f7f", "#e69f00", "#56b4e9"
GREEN, BLUE, VERMILLION, PURPLE = "#009e73", "#0072b2", "#d55e00", "#cc79a7"
BAND_ALPHA = 0.28
_SHEET = Path(__file__).with_name("style.mplstyle")


@dataclass(frozen=True)
class Style:
    """Colour, marker and line; variants of a method have its colour, hollow markers and a broken line."""

    colour: str
    marker: str
    line: str | tuple = "-"
    hollow: bool = False

    def of_line(self) -> dict[str, Any]:
        """Arguments of ``Axes.plot``."""
        face = "white" if self.hollow else self.colour
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line, "markerfacecolor": face}

    def handle(self) -> Line2D:
        """What a legend shows."""
        return Line2D([], [], **self.of_line())


METHODS = {
    "dense": Style(BLACK, "*", ""),
    "uniform": Style(GREY, "s"),
    "uniform_recon": Style(GREY, "s", "--", hollow=True),
    "flap": Style(BLUE, "v"),
    "slicegpt": Style(GREEN, "^"),
    "slicegpt_matched": Style(GREEN, "^", "--", hollow=True),
    "svd_llm": Style(PURPLE, "D"),
    "svd_llm_update": Style(PURPLE, "D", "--", hollow=True),
    "sparsitysolver": Style(VERMILLION, "o"),
    "sparsitysolver_recon": Style(VERMILLION, "o", "--", hollow=True),
    "sparsitysolver_recon_c4": Style(VERMILLION, "s", "-.", hollow=True),
    "sparsitysolver_recon_task": Style(VERMILLION, "^", "-.", hollow=True),
    "magnitude": Style(GREY, "X"),
    "wanda": Style(BLUE, "s"),
    "sparsegpt": Style(SKY, "^"),
    "owl": Style(GREEN, "D", "--"),
    "owl_sparsegpt": Style(GREEN, "D", "-.", hollow=True),
    "besa": Style(PURPLE, "v"),
    "besa_own": Style(PURPLE, "v", ":", hollow=True),
    "besa_row": Style(PURPLE, "v", "--", hollow=True),
    "besa_exact": Style(PURPLE, "v", "-.", hollow=True),
    "dlp": Style(ORANGE, "P"),
    "ramp": Style(BLACK, "P", "--"),
    "sparsitysolver_unstructured": Style(VERMILLION, "h"),
    "sparsitysolver_unstructured_static": Style(VERMILLION, "h", "--", hollow=True),
    "sparsitysolver_task": Style(VERMILLION, "h", "-."),
    "ppo": Style(VERMILLION, "p"),
    "amc": Style(BLUE, "D", "--"),
    "amc_broadcast": Style(SKY, "P", "-."),
    "agmc": Style(GREEN, "X"),
    "ppo_projection": Style(VERMILLION, "p", "--", hollow=True),
    "fastforward": Style(ORANGE, "^"),
    "random": Style(GREY, "x", ":"),
    "cma": Style(BLUE, "o"),
    "evolution": Style(GREEN, "s", "--"),
    "evopress": Style(PURPLE, "^", "-."),
    "tpe": Style(ORANGE, "v", "--"),
    "self_pruner": Style(BLACK, "d", "-."),
    "two_rate": Style(SKY, "s", "--"),
    "surrogate": Style(BLACK, "o"),
    "sparsitysolver_first": Style(VERMILLION, "d", "--"),
    "sparsitysolver_reuse": Style(ORANGE, "D"),
    "sparsitysolver_reuse_recon": Style(ORANGE, "D", "--", hollow=True),
}
# Kinds of units, where a panel shows those of one method; "both" is both reconstructed.
KINDS = {"mha": Style(BLUE, "o"), "ffn": Style(ORANGE, "s", "--"), "both": Style(GREEN, "^", "-.")}
KIND_LABELS = {"mha": "MHA", "ffn": "FFN", "both": "MHA and FFN"}
# Things of one sort in an order, told apart within one figure: seeds, or episodes from early (light) to late (dark).
SERIES = (
    Style(VERMILLION, "v"),
    Style(GREEN, "^", "--"),
    Style(PURPLE, "D", "-."),
    Style(BLACK, "X", (0, (1, 1))),
    Style(SKY, "P"),
)
STAGES = (
    Style("#b8b8b8", "o", (0, (1, 1))),
    Style(SKY, "s", "-.", hollow=True),
    Style(BLUE, "^", "--"),
    Style(BLACK, "D", "-"),
)
REFERENCE = {"color": GREY, "linestyle": ":", "linewidth": 1.1}  # what others are measured by: uniform pruning


@functools.cache
def _spare() -> tuple[Style, ...]:
    """What no registered method looks like, for methods to come."""
    looks = itertools.product(
        (SKY, ORANGE, PURPLE, BLUE, GREEN, BLACK), ("<", ">", "8", "H", "d", "p"), ("-", "--", "-.")
    )
    return tuple(style for style in itertools.starmap(Style, looks) if style not in METHODS.values())


def method_styles(keys: Iterable[str]) -> dict[str, Style]:
    """Looks of the methods of one figure, in the order of legends: as registered, then those to come by key.

    The look of one to come follows from its key alone, or is the next one that no other method has.
    """
    found: dict[str, Style] = {}
    for key in sorted(set(keys)):
        first = int(hashlib.sha256(key.encode()).hexdigest(), 16) % len(_spare())
        free = (style for style in _spare()[first:] + _spare()[:first] if style not in found.values())
        found[key] = METHODS[key] if key in METHODS else next(free)
    return {key: found[key] for key in [*METHODS, *found] if key in found}


def style_sheet() -> AbstractContextManager[None]:
    """The style of all figures, whatever the user's own settings of matplotlib are."""
    return mpl_style.context(_SHEET, after_reset=True)
