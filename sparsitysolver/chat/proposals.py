"""Candidates in a chat model's reply: found strictly, repaired where there is one plain way, else refused.

A reply counts by its last JSON array of lists or objects: whatever a model thinks aloud comes before it.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_TOLERANCE = 1e-6  # what decimals may miss a bound by
_START = "["


@dataclass
class Counts:
    """How a conversation went, in candidates unless a line says otherwise."""

    asked: int = 0
    replies: int = 0  # replies
    malformed: int = 0  # replies without a JSON array of lists or objects
    cut: int = 0  # replies that ended at the most tokens allowed
    asked_again: int = 0  # requests made because an earlier reply had too few candidates
    proposed: int = 0
    wrong_length: int = 0
    not_a_number: int = 0
    out_of_range: int = 0  # repaired if a rate at all, else refused
    wrong_parents: int = 0
    repeated: int = 0
    repaired: int = 0  # clipped to the bounds, or put on the mean rate
    surplus: int = 0  # more than were asked for: left out
    accepted: int = 0
    missing: int = 0  # asked for in vain
    retries: int = 0  # attempts of the transport beyond the first
    prompt_tokens: int | None = None  # None where no reply states them
    completion_tokens: int | None = None


@dataclass(frozen=True)
class Form:
    """What a candidate must look like: so many rates between bounds, made of parents out of a population."""

    units: int
    lowest: float
    highest: float
    parents: int = 0
    population: int = 0


@dataclass(frozen=True)
class Proposal:
    """Pruning rates (units,) within the bounds; ``clipped`` where they were not."""

    rates: np.ndarray
    clipped: bool


@dataclass
class Reading:
    """What a reply holds: proposals by their place in it, and why the others are none."""

    proposals: dict[int, Proposal] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def read_reply(text: str, form: Form, counts: Counts) -> Reading:
    """The proposals of a reply; what was wrong with it is counted."""
    reading = Reading()
    counts.replies += 1
    items = last_array(text)
    if items is None:
        counts.malformed += 1
        reading.refused.append(f"it holds no JSON array of {'objects' if form.parents else 'arrays'}")
        return reading
    counts.proposed += len(items)
    for place, item in enumerate(items):
        try:
            reading.proposals[place] = _proposal(item, form, counts)
        except _Refused as reason:
            reading.refused.append(f"candidate {place}: {reason}")
    return reading


def last_array(text: str) -> list[Any] | None:
    """The last JSON array in a text, not within another one, that holds lists or objects only; None without one."""
    decoder, found, place = json.JSONDecoder(), None, text.find(_START)
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except RecursionError:  # what is nested so deep is no list of candidates, and every try of it takes long
            return None
        except ValueError:
            end = place + 1
        else:
            if value and all(isinstance(item, list | dict) for item in value):
                found = value
        place = text.find(_START, end)
    return found


class _Refused(Exception):
    """Why a candidate is none."""


def _proposal(item: Any, form: Form, counts: Counts) -> Proposal:
    rates = item
    if form.parents:
        if not isinstance(item, dict) or not _parents(item.get("parents"), form):
            counts.wrong_parents += 1
            different = "different indices" if form.parents > 1 else "index"
            raise _Refused(f'"parents" must hold {form.parents} {different} from 0 to {form.population - 1}')
        rates = item.get("rates")
    if not isinstance(rates, list) or len(rates) != form.units:
        counts.wrong_length += 1
        raise _Refused(f"{len(rates) if isinstance(rates, list) else 'no'} rates, {form.units} are needed")
    if not all(isinstance(rate, int | float) and not isinstance(rate, bool) and rate == rate for rate in rates):
        counts.not_a_number += 1
        raise _Refused("a rate that is no number")
    lowest, highest = min(rates), max(rates)
    clipped = lowest < form.lowest - _TOLERANCE or highest > form.highest + _TOLERANCE
    counts.out_of_range += clipped
    if lowest < -_TOLERANCE or highest > 1 + _TOLERANCE:
        raise _Refused("a rate that is no share between 0 and 1")
    return Proposal(np.clip(np.array(rates, dtype=float), form.lowest, form.highest), clipped)


def _parents(value: Any, form: Form) -> bool:
    """Whether these are as many real and different parents as are needed."""
    if not isinstance(value, list) or len(value) != form.parents:
        return False
    real = all(type(index) is int and 0 <= index < form.population for index in value)
    return real and len(set(value)) == form.parents
