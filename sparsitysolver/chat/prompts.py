"""What a chat model is told and asked. The wording is this project's: Self-Pruner's is not published (deviation 91).

Every prompt is one message that says everything: some models know no system message, and none needs a long memory.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from sparsitysolver.chat.settings import Messages
from sparsitysolver.pruning.budget import Bounds
from sparsitysolver.pruning.units import Unit

_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_PROMPT = _ENVIRONMENT.from_string(Path(__file__).with_name("prompt.j2").read_text(encoding="utf-8"))
_DECIMALS = 3


def prompt(
    units: Sequence[Unit],
    sparsity: float,
    bounds: Bounds,
    population: Sequence[tuple[float | None, float, np.ndarray]],
    accepted: Sequence[np.ndarray],
    **asked: Any,
) -> Messages:
    """Ask for candidates, given the members of the ``population`` and the rates of those ``accepted`` in this round.

    A member is perplexity (None: the reward is no perplexity's), reward and pruning rates (units,). ``asked`` says for
    how many ``wanted`` candidates of so many ``parents`` each; how many were ``proposed`` so far, which makes every
    prompt another one, for a greedy model would answer an unchanged population as it did before; what was ``refused``
    of the last reply, and how many such ``failures`` there were.
    """
    measured = all(ppl is not None for ppl, *_ in population)
    return message(
        _PROMPT.render(
            units=units,
            sparsity=sparsity,
            bounds=bounds,
            population=[(_worth(ppl, reward), _rounded(rates)) for ppl, reward, rates in population],
            measure="perplexity (the lower the better)" if measured else "reward (the higher the better)",
            accepted=[_rounded(rates) for rates in accepted],
            **asked,
        )
    )


def message(text: str) -> Messages:
    """One message of the user."""
    return [{"role": "user", "content": text.rstrip("\n")}]


def _worth(ppl: float | None, reward: float) -> str:
    if ppl is None:
        return f"{reward:.4g}"
    return f"{ppl:.4g}" if math.isfinite(ppl) else "broken"


def _rounded(rates: np.ndarray) -> list[float]:
    return [round(float(rate), _DECIMALS) for rate in rates]
