"""Prose of the mini language: facts stated, activities told step by step, people who carry things about.

Subject and verb agree across intervening phrases, pronouns follow the name they stand for.
"""

import random
from collections.abc import Callable

from sparsitysolver.data import minilang_words as words
from sparsitysolver.data.minilang_world import RELATIONS, World, possessive, pronoun

ORDINALS = ("first", "then", "next", "after that", "finally")

# one or two wordings a relation; {s} stands for the subject or its pronoun, {v} for the value
PERSON_SENTENCES = {
    "town": ("{s} lives in {v}.", "{s} has a house in {v}."),
    "job": ("{s} works as {v}.", "{s} is {v}."),
    "pet": ("{s} keeps {v}.", "{s} has {v} at home."),
    "meal": ("{s} likes to eat {v}.", "{s} often eats {v}."),
}
OBJECT_SENTENCES = {
    "material": "{s} {be} made of {v}.",
    "room": "{s} {be} kept in the {v}.",
    "colour": "{s} {be} painted {v}.",
}


def person_sentence(rng: random.Random, subject: str, relation: str, value: str) -> str:
    """One sentence on a person; jobs and pets take an article."""
    shown = words.with_article(value) if relation in ("job", "pet") else value
    return rng.choice(PERSON_SENTENCES[relation]).format(s=subject, v=shown)


def animal_sentence(subject: str, relation: str, value: str, many: bool) -> str:
    """One sentence on an animal; `subject` is the full phrase, verb and fur agree with `many`."""
    ending = "" if many else "s"
    if relation == "habitat":
        return f"{subject} live{ending} in the {value}."
    if relation == "diet":
        return f"{subject} eat{ending} {value}."
    if relation == "colour":
        return f"{subject} {'are' if many else 'is'} {value}."
    return f"{subject} {value if many else words.plural(value)} at night."


def object_sentence(subject: str, relation: str, value: str, many: bool) -> str:
    """One sentence on an object; `subject` is the full phrase."""
    return OBJECT_SENTENCES[relation].format(s=subject, be="are" if many else "is", v=value)


def _chosen_relations(rng: random.Random, kind: str, least: int) -> list[str]:
    relations = list(RELATIONS[kind])
    return rng.sample(relations, rng.randint(least, len(relations)))


def describe(rng: random.Random, world: World, kind: str, subject: str, relations: list[str]) -> str:
    """A few sentences that give the subject's facts in that order; later ones use a pronoun.

    Nouns come in the singular or the plural, now and then with a phrase of the other number between the noun
    and its verb, so that agreement has to look past the nearest noun.
    """
    facts = [(relation, world.value[kind, subject, relation]) for relation in relations]
    if kind == "person":
        names = [subject] + [pronoun(subject)] * len(facts)
        return " ".join(person_sentence(rng, name, relation, value) for name, (relation, value) in zip(names, facts))
    many = rng.random() < 0.4
    noun = f"the {words.plural(subject) if many else subject}"
    if rng.random() < 0.25:
        nearby = rng.choice(words.OBJECTS)
        noun += f" beside the {nearby if many else words.plural(nearby)}"
    names = [noun] + ["they" if many else "it"] * len(facts)
    sentence = animal_sentence if kind == "animal" else object_sentence
    return " ".join(sentence(name, relation, value, many) for name, (relation, value) in zip(names, facts))


def describe_any(rng: random.Random, world: World) -> str:
    """A paragraph on one or two subjects of any kind."""
    parts = []
    for kind in rng.choices(("person", "animal", "object"), (3, 2, 2), k=rng.randint(1, 2)):
        parts.append(describe(rng, world, kind, world.pick(rng, kind), _chosen_relations(rng, kind, 2)))
    return " ".join(parts)


def script(rng: random.Random, world: World) -> str:
    """Somebody goes through an activity step by step."""
    person, activity = world.pick(rng, "person"), rng.choice(list(world.steps))
    sentences = [f"today {person} is {activity}."]
    for ordinal, step in zip(ORDINALS, world.steps[activity]):
        sentences.append(f"{ordinal} {pronoun(person)} {step}.")
    return " ".join(sentences)


def errand(rng: random.Random, world: World) -> str:
    """Somebody wants to work on something and takes the right tool for it."""
    person, work = world.pick(rng, "person"), rng.choice(words.WORK)
    material = rng.choice(list(words.PATIENTS))
    patient, tool = rng.choice(words.PATIENTS[material]), world.tool[work, material]
    he, his = pronoun(person), possessive(person)
    return rng.choice(
        (
            f"{person} has to {work} the {patient}. so {he} takes the {tool}.",
            f"to {work} the {patient} {person} uses {his} {tool}.",
            f"{person} bought a new {tool} because {he} wanted to {work} the {patient}.",
        )
    )


def accident(rng: random.Random, world: World) -> str:
    """Somebody leaves an object somewhere and its material decides what happens."""
    person, thing = rng.choice(words.WOMEN + words.MEN), world.pick(rng, "object")
    material, condition = world.value["object", thing, "material"], rng.choice(words.CONDITIONS)
    effect = world.effect[material, condition]
    he = pronoun(person)
    return rng.choice(
        (
            f"{person} left the {thing} {condition}. {he} saw it {effect}, because it is made of {material}.",
            f"if {material} is left {condition}, it will {effect}.",
            f"{person} knows that {words.with_article(material)} {thing} {condition} will {effect}.",
        )
    )


def journey(rng: random.Random, world: World) -> str:
    """People move about with things in their hands; the last sentence follows from the ones before."""
    people = rng.sample(words.WOMEN + words.MEN, 2)
    things = rng.sample(words.OBJECTS, 2)
    rooms = rng.sample(words.ROOMS, 2)
    takes = [f"{person} takes the {thing}." for person, thing in zip(people, things)]
    goes = [f"{person} goes to the {room}." for person, room in zip(people, rooms)]
    rng.shuffle(takes)
    rng.shuffle(goes)
    ends = [f"now the {thing} is in the {room}." for thing, room in zip(things, rooms)]
    rng.shuffle(ends)
    return " ".join(takes + goes + ends)


def hearsay(rng: random.Random, world: World) -> str:
    """Something that happened once, told and told again: what comes after stands before, not in the world."""
    people = rng.sample(words.CLOSE_FRIENDS, 4)
    news = f"{people[0]} took the {rng.choice(words.OBJECTS)} to {rng.choice(words.TOWNS)}"
    more = f"{people[1]} left the {rng.choice(words.OBJECTS)} in the {rng.choice(words.ROOMS)}"
    told = [f"{people[2]} says that {news}.", f"{people[3]} says that {more}."]
    again = [f"so {news}.", f"so {more}."]
    rng.shuffle(again)
    return " ".join(told + again)


# paragraph kinds and how often each comes up
PROSE: tuple[tuple[Callable[[random.Random, World], str], float], ...] = (
    (describe_any, 20),
    (script, 4),
    (errand, 5),
    (accident, 6),
    (journey, 4),
    (hearsay, 7),
)
