"""What a chat model is told and asked. The wording is this project's: Self-Pruner's is not published (deviation 91).

Every prompt is one message that says everything: some models know no system message, and none needs a long memory.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.chat.driver import Messages
from sparsitysolver.pruning.budget import Bounds
from sparsitysolver.pruning.units import Unit

_MOST_REASONS = 10
_DECIMALS = 3


@dataclass(frozen=True)
class Member:
    """One of the population as a prompt shows it: pruning rates (units,), and its perplexity or else its reward."""

    rates: np.ndarray
    ppl: float | None
    reward: float


def introduction(units: Sequence[Unit], sparsity: float, bounds: Bounds) -> str:
    """The problem: units, mean rate, bounds."""
    whole = sum(unit.weights for unit in units)
    lines = [
        "You direct an evolutionary search for how much of each part of a language model can be pruned away.",
        f"A candidate is a list of {len(units)} pruning rates, one for each unit below, in that order. A unit's rate "
        "is the share of it that is removed.",
        f"Every rate lies between {1 - bounds.upper:g} and {1 - bounds.lower:g}.",
        f"The mean of the rates, each weighted by its unit's share of the weights, is {sparsity:g}; candidates that "
        "miss it are shifted onto it.",
        "Every candidate is tried on the model. Find those that leave the pruned model as good as possible.",
        "",
        "Rates are rounded to whole items: heads, neurons or columns.",
        "Units: index, name, kind, items, share of weights",
        *(
            f"{index} {unit.name} {unit.kind} {unit.size} {unit.weights / whole:.4f}"
            for index, unit in enumerate(units)
        ),
    ]
    return "\n".join(lines)


def population(members: Sequence[Member], proposed: int) -> str:
    """The population, an index each, and how many candidates were proposed so far.

    The number makes every prompt another one: a greedy model would answer an unchanged population as it did before.
    """
    measured = all(member.ppl is not None for member in members)
    measure = "perplexity (the lower the better)" if measured else "reward (the higher the better)"
    lines = [f"Population, the best of {proposed} candidates so far: index, {measure} of the pruned model, rates"]
    lines += [f"{index} {_worth(member)} {_rates(member.rates)}" for index, member in enumerate(members)]
    return "\n".join(lines)


def first(count: int, units: int) -> str:
    """Asks for a first population."""
    return (
        f"Write {count} candidates of a first population, all different, from what you know of how much each part of "
        f"such a model can spare.\nAnswer with JSON only: an array of {count} arrays of {units} rates, such as "
        "[[0.1, ...], ...]."
    )


def cross(count: int, units: int) -> str:
    """Asks for offspring of two parents each."""
    return (
        f"Make {count} candidates by crossover. For each, select two different parents from the population, good ones "
        f"more often, and combine their rates.\n{_offspring(count, units, '[3, 0]')}"
    )


def mutate(count: int, units: int) -> str:
    """Asks for changed copies of parents."""
    return (
        f"Make {count} candidates by mutation. For each, select one parent from the population, good ones more often, "
        f"and change some of its rates.\n{_offspring(count, units, '[3]')}"
    )


def _offspring(count: int, units: int, parents: str) -> str:
    return (
        f"Answer with JSON only: an array of {count} objects, each with the indices of its parents and {units} rates, "
        f'such as [{{"parents": {parents}, "rates": [0.1, ...]}}, ...].'
    )


def already(candidates: Sequence[np.ndarray]) -> str:
    """Candidates of this round that are accepted."""
    return "\n".join(["Proposed already; yours must differ from these:", *map(_rates, candidates)])


def again(refused: Sequence[str], number: int) -> str:
    """What was wrong with the last reply; ``number`` counts such replies."""
    lines = [f"Of your reply number {number} not everything could be used:", *refused[:_MOST_REASONS]]
    if len(refused) > _MOST_REASONS:
        lines.append(f"and {len(refused) - _MOST_REASONS} more such faults")
    return "\n".join(lines)


def message(*parts: str) -> Messages:
    """One message of several parts."""
    return [{"role": "user", "content": "\n\n".join(part for part in parts if part)}]


def _worth(member: Member) -> str:
    if member.ppl is None:
        return f"{member.reward:.4g}"
    return f"{member.ppl:.4g}" if math.isfinite(member.ppl) else "broken"


def _rates(rates: np.ndarray) -> str:
    return json.dumps([round(float(rate), _DECIMALS) for rate in rates])
