"""What an artefact has seen: the record that travels with it, and that cells judge leakage by (no torch).

A list of entries, one for every text and every part of a task that the artefact, or anything it was made from, was
calibrated, reconstructed or rewarded on. Agents, effects, conversations, strategies and pruned models carry it, and
what is made from several of them carries the union. Nothing is ever taken out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sparsitysolver.records.files import Json, canonical_json

CALIBRATION, RECONSTRUCTION, REWARD = "calibration", "reconstruction", "reward"
ANY = "any"  # of an artefact whose making is not known: it may have been anything

Seen = list[Json]


def seen(role: str, source: str, part: str, sha256: str) -> Json:
    """One entry: its role, a text and its split or a task and the part of its items, and the hash of all of that."""
    return {"role": role, "source": source, "part": part, "sha256": sha256}


def unknown(role: str = ANY) -> Json:
    """An entry for what nobody noted: it may have been any text and any task."""
    return {"role": role, "source": None, "part": None, "sha256": None}


def is_seen(value: Any) -> bool:
    """Whether a value read from a file is such a list."""
    return isinstance(value, list) and all(isinstance(one, dict) and unknown().keys() == one.keys() for one in value)


def seen_of_sample(role: str, record: Json) -> Json:
    """The entry of drawn windows, by their record; of token ids whose origin nobody noted, an unknown one."""
    if "text_sha256" not in record:
        return unknown(role)
    return seen(role, record["source"], record["split"], record["text_sha256"])


def seen_by(record: Mapping[str, Any]) -> Seen:
    """What an artefact's record says; one without a word on it, of an older version or another tool, is unknown."""
    return record.get("seen") or ([] if "seen" in record else [unknown()])


def union(*lists: Iterable[Json]) -> Seen:
    """All entries once, in one order whatever theirs was."""
    entries = {canonical_json(entry): entry for entries in lists for entry in entries}
    return [entries[key] for key in sorted(entries)]
