"""The words of the mini language and the world that it speaks about: a fixed table of facts drawn from one seed.

Every sentence, question and answer of the language is true of this table, so a model that has read the
training text can answer questions it has never seen, as long as it kept the facts in its weights.
Words and sentences are data beside this file.
"""

import functools
import itertools
import random
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

WORLD_SEED = "mini world 1"
N_PEOPLE = 96
N_ACTIVITIES = 44
STEPS_PER_ACTIVITY = 5
KINDS = ("person", "animal", "object")  # of subjects


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


sentences = functools.cache(functools.partial(_read, "sentences.yaml"))


@functools.cache
def words() -> dict[str, list[str]]:
    """The lists of ``words.yaml`` by name; those in groups (``food`` of ``patients``) by their own."""
    read = _read("words.yaml")
    groups = [entry for entry in read.values() if isinstance(entry, dict)]
    entries = dict(itertools.chain(read.items(), *(group.items() for group in groups)))
    return {name: entry.split() if isinstance(entry, str) else list(entry) for name, entry in entries.items()}


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


class Relation:
    """What is said of one kind of subject: the wordings of ``sentences.yaml``, and the values that there are."""

    def __init__(self, wordings: dict[str, Any]) -> None:
        self.stated: list[str] = wordings["stated"]
        self.question, self.answer = wordings["asked"]
        self.yes_no, self.only_one = wordings["yes_no"], wordings["only_one"]
        self.values = words()[wordings["values"]]
        self.unfit = wordings["unfit"] if isinstance(wordings["unfit"], list) else words()[wordings["unfit"]]
        self.shown = with_article if wordings.get("article") else str  # a value as it stands in sentences


@functools.cache
def relations(kind: str) -> dict[str, Relation]:
    """The relations of a kind of subject by name."""
    return {name: Relation(wordings) for name, wordings in sentences()["relations"][kind].items()}


@dataclass(frozen=True)
class World:
    """All facts: `value[kind, subject, relation]` and four further tables keyed by what determines them."""

    subjects: dict[str, list[str]]
    value: dict[tuple[str, str, str], str]
    effect: dict[tuple[str, str], str]  # (material, condition) -> effect
    tool: dict[tuple[str, str], str]  # (work, class of patient) -> tool
    steps: dict[str, list[str]]  # activity -> its steps in order

    def pick(self, rng: random.Random, kind: str) -> str:
        """One subject of that kind; the first of the list come up about five times as often as the last."""
        subjects = self.subjects[kind]
        return subjects[int(len(subjects) * rng.random() ** 1.5)]


@functools.cache
def world() -> World:
    """The one world of the language; always the same."""
    rng, lists = random.Random(WORLD_SEED), words()

    def deal(keys: list[Any], values: list[str]) -> dict[Any, str]:
        """Values in random order, each about equally often, so that none can be guessed."""
        dealt = (values * (len(keys) // len(values) + 1))[: len(keys)]
        rng.shuffle(dealt)
        return dict(zip(keys, dealt, strict=True))

    people = [f"{first} {last}" for first, last in product(lists["women"] + lists["men"], lists["surnames"])]
    subjects = {"person": rng.sample(people, N_PEOPLE)}
    for kind in ("animal", "object"):
        subjects[kind] = rng.sample(lists[f"{kind}s"], len(lists[f"{kind}s"]))
    value: dict[tuple[str, str, str], str] = {}
    for kind in KINDS:
        for name, relation in relations(kind).items():
            value |= deal([(kind, subject, name) for subject in subjects[kind]], relation.values)
    effect = deal(list(product(lists["materials"], lists["conditions"])), lists["effects"])
    tool = deal(list(product(lists["work"], lists["patients"])), lists["tools"])
    activities = [f"{verb} {noun}" for verb, noun in product(lists["activity_verbs"], lists["activity_nouns"])]
    pool = [f"{verb} the {noun}" for verb, noun in product(lists["step_verbs"], lists["step_nouns"])]
    steps = {activity: rng.sample(pool, STEPS_PER_ACTIVITY) for activity in rng.sample(activities, N_ACTIVITIES)}
    return World(subjects, value, effect, tool, steps)
