"""Words and sentences of the mini language, which are data beside this file, and the little grammar they need."""

import functools
from pathlib import Path
from typing import Any

import yaml


@functools.cache
def words() -> dict[str, list[str]]:
    """The lists of ``words.yaml`` by name; those in groups (``food`` of ``patients``) by their own."""
    read = _read("words.yaml")
    groups = {name: entry for name, entry in read.items() if isinstance(entry, dict)}
    lists = {name: entry for group in (read, *groups.values()) for name, entry in group.items() if name not in groups}
    split = {name: entry.split() if isinstance(entry, str) else entry for name, entry in lists.items()}
    return split | {name: list(group) for name, group in groups.items()}


@functools.cache
def sentences() -> dict[str, Any]:
    """``sentences.yaml``."""
    return _read("sentences.yaml")


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def plural(noun: str) -> str:
    """Regular English plural of a noun; a verb's form behind one subject."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def with_article(noun: str) -> str:
    """The noun behind "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def pronoun(person: str) -> str:
    """Either "she" or "he" for a person's name."""
    return "she" if person.split()[0] in words()["women"] else "he"


def possessive(person: str) -> str:
    """Either "her" or "his" for a person's name."""
    return "her" if pronoun(person) == "she" else "his"
