"""The world that the mini language speaks about: a fixed table of facts drawn from one seed.

Every sentence, question and answer of the language is true of this table, so a model that has read the
training text can answer questions it has never seen, as long as it kept the facts in its weights.
"""

import functools
import random
from dataclasses import dataclass
from itertools import product
from typing import Any

from sparsitysolver.data.minilang.language import sentences, with_article, words

WORLD_SEED = "mini world 1"
N_PEOPLE = 96
N_ACTIVITIES = 44
STEPS_PER_ACTIVITY = 5
KINDS = ("person", "animal", "object")  # of subjects


class Relation:
    """What is said of one kind of subject: the wordings of ``sentences.yaml``, and the values that there are."""

    def __init__(self, wordings: dict[str, Any]) -> None:
        self.stated: list[str] = wordings["stated"]
        self.question, self.answer = wordings["asked"]
        self.yes_no, self.only_one = wordings["yes_no"], wordings["only_one"]
        self.values = words()[wordings["values"]]
        self.unfit = wordings["unfit"] if isinstance(wordings["unfit"], list) else words()[wordings["unfit"]]
        self._article = wordings.get("article", False)

    def shown(self, value: str) -> str:
        """A value as it stands in sentences."""
        return with_article(value) if self._article else value


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


def _deal(rng: random.Random, values: list[str], count: int) -> list[str]:
    """`count` values in random order, each about equally often, so that none can be guessed."""
    dealt = (values * (count // len(values) + 1))[:count]
    rng.shuffle(dealt)
    return dealt


@functools.cache
def world() -> World:
    """The one world of the language; always the same."""
    rng, lists = random.Random(WORLD_SEED), words()
    people = [f"{first} {last}" for first, last in product(lists["women"] + lists["men"], lists["surnames"])]
    subjects = {
        "person": rng.sample(people, N_PEOPLE),
        "animal": rng.sample(lists["animals"], len(lists["animals"])),
        "object": rng.sample(lists["objects"], len(lists["objects"])),
    }
    value: dict[tuple[str, str, str], str] = {}
    for kind in KINDS:
        for name, relation in relations(kind).items():
            dealt = _deal(rng, relation.values, len(subjects[kind]))
            value |= {(kind, subject, name): one for subject, one in zip(subjects[kind], dealt)}
    conditions = list(product(lists["materials"], lists["conditions"]))
    effect = dict(zip(conditions, _deal(rng, lists["effects"], len(conditions))))
    jobs = list(product(lists["work"], lists["patients"]))
    tool = dict(zip(jobs, _deal(rng, lists["tools"], len(jobs))))
    activities = [f"{verb} {noun}" for verb, noun in product(lists["activity_verbs"], lists["activity_nouns"])]
    pool = [f"{verb} the {noun}" for verb, noun in product(lists["step_verbs"], lists["step_nouns"])]
    steps = {activity: rng.sample(pool, STEPS_PER_ACTIVITY) for activity in rng.sample(activities, N_ACTIVITIES)}
    return World(subjects, value, effect, tool, steps)
