"""The world that the mini language speaks about: a fixed table of facts drawn from one seed.

Every sentence, question and answer of the language is true of this table, so a model that has read the
training text can answer questions it has never seen, as long as it kept the facts in its weights.
"""

import functools
import random
import zlib
from dataclasses import dataclass
from itertools import product

from sparsitysolver.data import minilang_words as words

WORLD_SEED = "mini world 1"
N_PEOPLE = 96
N_ACTIVITIES = 44
STEPS_PER_ACTIVITY = 5
HELD_OUT_ONE_IN = 4

# what is asked of whom: kind -> relation -> possible values
RELATIONS: dict[str, dict[str, list[str]]] = {
    "person": {"town": words.TOWNS, "job": words.JOBS, "pet": words.PETS, "meal": words.MEALS},
    "animal": {
        "habitat": words.HABITATS,
        "diet": words.DIETS,
        "colour": words.COLOURS,
        "sound": words.SOUNDS,
    },
    "object": {"material": words.MATERIALS, "room": words.ROOMS, "colour": words.COLOURS},
}


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
    rng = random.Random(WORLD_SEED)
    people = [f"{first} {last}" for first, last in product(words.WOMEN + words.MEN, words.SURNAMES)]
    subjects = {
        "person": rng.sample(people, N_PEOPLE),
        "animal": rng.sample(words.ANIMALS, len(words.ANIMALS)),
        "object": rng.sample(words.OBJECTS, len(words.OBJECTS)),
    }
    value: dict[tuple[str, str, str], str] = {}
    for kind, relations in RELATIONS.items():
        for relation, values in relations.items():
            dealt = _deal(rng, values, len(subjects[kind]))
            value |= {(kind, subject, relation): one for subject, one in zip(subjects[kind], dealt)}
    conditions = list(product(words.MATERIALS, words.CONDITIONS))
    effect = dict(zip(conditions, _deal(rng, words.EFFECTS, len(conditions))))
    jobs = list(product(words.WORK, words.PATIENTS))
    tool = dict(zip(jobs, _deal(rng, words.TOOLS, len(jobs))))
    activities = [f"{verb} {noun}" for verb, noun in product(words.ACTIVITY_VERBS, words.ACTIVITY_NOUNS)]
    pool = [f"{verb} the {noun}" for verb, noun in product(words.STEP_VERBS, words.STEP_NOUNS)]
    steps = {activity: rng.sample(pool, STEPS_PER_ACTIVITY) for activity in rng.sample(activities, N_ACTIVITIES)}
    return World(subjects, value, effect, tool, steps)


def pronoun(person: str) -> str:
    """Either "she" or "he" for a person's name."""
    return "she" if person.split()[0] in words.WOMEN else "he"


def possessive(person: str) -> str:
    """Either "her" or "his" for a person's name."""
    return "her" if pronoun(person) == "she" else "his"


def held_out(*key: str) -> bool:
    """Whether a question with this key is kept for the test split: a quarter, the same in any process."""
    return zlib.crc32("|".join(key).encode()) % HELD_OUT_ONE_IN == 0
