"""Closed or open division: was the evaluated domain, text or task seen in the making of a model?

Flags are true, false, or None where something was seen of which nobody noted what it was.
"""

from collections.abc import Iterable

from sparsitysolver.data.items import ALL, REPORT, Items
from sparsitysolver.data.sources import Text
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import ANY, REWARD, Seen

Flags = dict[str, bool | None]


def perplexity_leakage(text: Text, seen: Seen) -> Flags:
    """Flags of a perplexity: calibrated on the data set, or searched on the very text, compared by hash."""
    rewards = [one for one in seen if one["role"] in (REWARD, ANY)]
    calibrations = [one for one in seen if one["role"] != REWARD]
    return {
        "calibrated_on_eval_domain": _any(
            _is(one, one["source"] == text.source or one["sha256"] == text.sha256) for one in calibrations
        ),
        "searched_on_reported_split": _any(_is(one, one["sha256"] == text.sha256) for one in rewards),
        "saw_task": False,
    }


def zero_shot_leakage(items: Items, seen: Seen) -> Flags:
    """Flags of an accuracy: whoever names the task saw it, and whoever names a part that holds the items searched them.

    For whatever role: a calibration on the items saw their answers, too.
    """
    calibrations = [one for one in seen if one["role"] != REWARD]
    domain = (items.source, items.task)
    return {
        "calibrated_on_eval_domain": _any(_is(one, one["source"] in domain) for one in calibrations),
        "searched_on_reported_split": _any(
            _is(one, one["source"] == items.task and _overlaps(items, one)) for one in seen
        ),
        "saw_task": _any(_is(one, one["source"] == items.task) for one in seen),
    }


def _is(entry: Json, answer: bool) -> bool | None:
    return None if entry["source"] is None else answer


def _any(answers: Iterable[bool | None]) -> bool | None:
    """Whether one is true; None where none is and one is not known."""
    found = list(answers)
    return True if True in found else None if None in found else False


def _overlaps(items: Items, entry: Json) -> bool:
    """Whether items were among those seen: reported ones anywhere, the same part, or parts that may share some."""
    part = entry["part"]
    return entry["sha256"] == items.sha256 or part in (REPORT, ALL, items.part) or items.part == ALL
