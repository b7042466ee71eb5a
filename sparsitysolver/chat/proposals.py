"""Candidates in a chat model's reply: found strictly, repaired where there is one plain way, else refused.

A reply counts by its last JSON array of lists or objects: whatever a model thinks aloud comes before it.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

_TOLERANCE = 1e-6  # what decimals may miss a bound by


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


class _Refused(Exception):
    """Why a candidate is none."""


def read_reply(text: str, form: Form, counts: Counts) -> tuple[dict[int, tuple[np.ndarray, bool]], list[str]]:
    """The candidates of a reply by their place in it, and why the others are none; what was wrong is counted.

    A candidate is its pruning rates (units,) within the bounds, and whether they had to be clipped to them.
    """
    found, refused = {}, []
    counts.replies += 1
    items = last_array(text)
    if items is None:
        counts.malformed += 1
        return found, [f"it holds no JSON array of {'objects' if form.parents else 'arrays'}"]
    counts.proposed += len(items)
    for place, item in enumerate(items):
        try:
            found[place] = _candidate(item, form, counts)
        except _Refused as reason:
            refused.append(f"candidate {place}: {reason}")
    return found, refused


def last_array(text: str) -> list[Any] | None:
    """The last JSON array in a text, not within another one, that holds lists or objects only; None without one."""
    decoder, found, place = json.JSONDecoder(), None, text.find("[")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except RecursionError:  # what is nested so deep is no list of candidates, and every try of it takes long
            return None
        except ValueError:
            value, end = None, place + 1
        if value and all(isinstance(item, list | dict) for item in value):
            found = value
        place = text.find("[", end)
    return found


def _candidate(item: Any, form: Form, counts: Counts) -> tuple[np.ndarray, bool]:
    rates = item
    if form.parents:
        parents, rates = (item.get("parents"), item.get("rates")) if isinstance(item, dict) else (None, None)
        listed = parents if isinstance(parents, list) else []
        real = {index for index in listed if type(index) is int and 0 <= index < form.population}
        if not len(real) == len(listed) == form.parents:
            counts.wrong_parents += 1
            different = "different indices" if form.parents > 1 else "index"
            raise _Refused(f'"parents" must hold {form.parents} {different} from 0 to {form.population - 1}')
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
    return np.clip(np.array(rates, dtype=float), form.lowest, form.highest), clipped
