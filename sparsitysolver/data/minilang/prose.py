"""Prose of the mini language: facts stated, activities told step by step, people who carry things about.

Subject and verb agree across intervening phrases, pronouns follow the name they stand for.
"""

import random

from sparsitysolver.data.minilang.world import plural, pronoun, relations, sentences, with_article, words, world


def describe(rng: random.Random, kind: str, subject: str, names: list[str]) -> str:
    """A few sentences that give the subject's facts, of the relations named, in that order; later ones use a pronoun.

    Nouns come in the singular or the plural, now and then with a phrase of the other number between the noun
    and its verb, so that agreement has to look past the nearest noun.
    """
    facts = [(relations(kind)[name], world().value[kind, subject, name]) for name in names]
    if kind == "person":
        subjects = [subject] + [pronoun(subject)] * len(facts)
        told = [rng.choice(relation.stated) for relation, _ in facts]
    else:
        many = rng.random() < 0.4
        noun = f"the {plural(subject) if many else subject}"
        if rng.random() < 0.25:
            nearby = rng.choice(words()["objects"])
            noun += f" beside the {nearby if many else plural(nearby)}"
        subjects = [noun] + ["they" if many else "it"] * len(facts)
        told = [relation.stated[many] for relation, _ in facts]
    return " ".join(
        sentence.format(s=name, v=relation.shown(value), vs=plural(value))
        for sentence, name, (relation, value) in zip(told, subjects, facts)
    )


def describe_any(rng: random.Random) -> str:
    """A paragraph on one or two subjects of any kind."""
    parts = []
    for kind in rng.choices(("person", "animal", "object"), (3, 2, 2), k=rng.randint(1, 2)):
        subject, names = world().pick(rng, kind), list(relations(kind))
        parts.append(describe(rng, kind, subject, rng.sample(names, rng.randint(2, len(names)))))
    return " ".join(parts)


def activity_told(person: str, activity: str, steps: list[str]) -> list[str]:
    """That somebody is at an activity, and some of its steps in turn."""
    he, told = pronoun(person), sentences()
    opening = told["activity"].format(person=person, activity=activity)
    return [opening, *(f"{ordinal} {he} {step}." for ordinal, step in zip(told["ordinals"], steps))]


def script(rng: random.Random) -> str:
    """Somebody goes through an activity step by step."""
    person, activity = world().pick(rng, "person"), rng.choice(list(world().steps))
    return " ".join(activity_told(person, activity, world().steps[activity]))


def errand(rng: random.Random) -> str:
    """Somebody wants to work on something and takes the right tool for it."""
    person, work = world().pick(rng, "person"), rng.choice(words()["work"])
    material = rng.choice(words()["patients"])
    patient, tool = rng.choice(words()[material]), world().tool[work, material]
    he = pronoun(person)
    his = {"he": "his", "she": "her"}[he]
    wording = rng.choice(sentences()["errand"])
    return wording.format(person=person, work=work, patient=patient, tool=tool, he=he, his=his)


def accident(rng: random.Random) -> str:
    """Somebody leaves an object somewhere and its material decides what happens."""
    person, thing = rng.choice(words()["women"] + words()["men"]), world().pick(rng, "object")
    material, condition = world().value["object", thing, "material"], rng.choice(words()["conditions"])
    names = {"person": person, "he": pronoun(person), "thing": thing, "condition": condition, "material": material}
    effect, wording = world().effect[material, condition], rng.choice(sentences()["accident"])
    return wording.format(**names, a_material=with_article(material), effect=effect)


def journey(rng: random.Random) -> str:
    """People move about with things in their hands; the last sentence follows from the ones before."""
    people = rng.sample(words()["women"] + words()["men"], 2)
    things, rooms = rng.sample(words()["objects"], 2), rng.sample(words()["rooms"], 2)
    takes = [f"{person} takes the {thing}." for person, thing in zip(people, things)]
    goes = [f"{person} goes to the {room}." for person, room in zip(people, rooms)]
    ends = [f"now the {thing} is in the {room}." for thing, room in zip(things, rooms)]
    for part in (takes, goes, ends):
        rng.shuffle(part)
    return " ".join(takes + goes + ends)


def hearsay(rng: random.Random) -> str:
    """Something that happened once, told and told again: what comes after stands before, not in the world."""
    people, lists = rng.sample(words()["close_friends"], 4), words()
    news = f"{people[0]} took the {rng.choice(lists['objects'])} to {rng.choice(lists['towns'])}"
    more = f"{people[1]} left the {rng.choice(lists['objects'])} in the {rng.choice(lists['rooms'])}"
    told = [f"{people[2]} says that {news}.", f"{people[3]} says that {more}."]
    again = [f"so {news}.", f"so {more}."]
    rng.shuffle(again)
    return " ".join(told + again)


# kinds of paragraph and how often each comes up
PROSE = {describe_any: 20, script: 4, errand: 5, accident: 6, journey: 4, hearsay: 7}
