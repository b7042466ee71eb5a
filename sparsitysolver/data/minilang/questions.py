"""The seven zero-shot task shapes in the mini language, with the field names of the public data sets.

Each shape draws a question: a key that decides train or test, what the shape shows, the right option and the
wrong ones. `item` turns it into a record as the data set on the hub holds it, `prompt` into the text that the
stock lm-eval task would show together with the right answer, which is how questions enter the training text.
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from sparsitysolver.data.minilang.prose import activity_told, describe
from sparsitysolver.data.minilang.world import KINDS, pronoun, relations, sentences, with_article, words, world

HELD_OUT_ONE_IN = 4


@dataclass(frozen=True)
class Question:
    """One drawn question; `shown` holds the fields that come before the options."""

    key: tuple[str, ...]
    shown: dict[str, str]
    right: str
    wrong: list[str]


def held_out(*key: str) -> bool:
    """Whether a question with this key is kept for the test split: a quarter, the same in any process."""
    return zlib.crc32("|".join(key).encode()) % HELD_OUT_ONE_IN == 0


def _others(rng: random.Random, values: list[str], value: str, count: int) -> list[str]:
    return rng.sample([other for other in values if other != value], count)


def passage(rng: random.Random) -> tuple[str, Callable[[], Question]]:
    """A text on one or two subjects and two relations of each, and what draws a yes/no question that it answers.

    Half the wrong values could never be true, which is easy; some are the other subject's, which is hard.
    """
    kind = rng.choice(KINDS)
    subjects = list(dict.fromkeys(world().pick(rng, kind) for _ in range(rng.randint(1, 2))))
    names = rng.sample(list(relations(kind)), 2)
    text = " ".join(describe(rng, kind, subject, rng.sample(names, 2)) for subject in subjects)

    def ask() -> Question:
        subject, name = rng.choice(subjects), rng.choice(names)
        relation, value = relations(kind)[name], world().value[kind, subject, name]
        yes = rng.random() < 0.5
        if not yes:
            near = [other for other in (world().value[kind, one, name] for one in subjects) if other != value]
            kind_of_wrong = rng.random()
            if kind_of_wrong < 0.5:
                value = rng.choice(relation.unfit)
            elif kind_of_wrong < 0.7 and near:
                value = rng.choice(near)
            else:
                value = _others(rng, relation.values, value, 1)[0]
        question = relation.yes_no.format(s=subject, v=relation.shown(value))
        right, wrong = ("yes", "no") if yes else ("no", "yes")
        return Question((subject, name), {"passage": text, "question": question}, right, [wrong])

    return text, ask


def boolq(rng: random.Random) -> Question:
    """A passage and a yes/no question on it."""
    return passage(rng)[1]()


def piqa(rng: random.Random) -> Question:
    """How to do some work on something: the right tool depends on the work and on the class of the thing."""
    work, material = rng.choice(words()["work"]), rng.choice(words()["patients"])
    patient = rng.choice(words()[material])
    tool = world().tool[work, material]
    # half the time the other solution is a tool that fits the same work on something else
    fitting = [world().tool[work, other] for other in words()["patients"]]
    near = [other for other in fitting if other != tool]
    wrong = rng.choice(near) if near and rng.random() < 0.5 else _others(rng, words()["tools"], tool, 1)[0]
    solutions = [f"take the {choice} and {work} the {patient} with it." for choice in (tool, wrong)]
    return Question((work, patient), {"goal": f"how do you {work} the {patient}?"}, solutions[0], solutions[1:])


def hellaswag(rng: random.Random) -> Question:
    """An activity half way through; wrong endings are steps of it out of turn and steps of another one."""
    person, activity = world().pick(rng, "person"), rng.choice(list(world().steps))
    steps = world().steps[activity]
    at = rng.randint(1, len(steps) - 1)
    out_of_turn = [step for i, step in enumerate(steps) if i > at or i < at - 2]
    foreign = rng.choice(_others(rng, list(world().steps), activity, 1))
    wrong = rng.sample(out_of_turn, 1) + rng.sample([step for step in world().steps[foreign] if step not in steps], 2)
    shown = {
        "activity_label": activity,
        "ctx_a": " ".join(activity_told(person, activity, steps[max(0, at - 2) : at])),
        "ctx_b": f"then {pronoun(person)}",
    }
    return Question((activity, str(at), person), shown, f"{steps[at]}.", [f"{step}." for step in wrong])


def _by_role(rng: random.Random) -> Question:
    of_people = rng.random() < 0.75
    first, second = rng.sample(words()["close_friends" if of_people else "objects"], 2)
    clause, role_first, role_second = rng.choice(sentences()["person_clauses" if of_people else "object_clauses"])
    thing = rng.choice(words()["objects"])
    about_first = rng.random() < 0.5
    reason = rng.choice(words()[role_first if about_first else role_second])
    blank = "_" if of_people else "the _"
    sentence = f"{clause.format(a=first, b=second, o=thing)} because {blank} {reason}."
    right, wrong = (first, second) if about_first else (second, first)
    return Question((clause, first, second, reason), {"sentence": sentence}, right, [wrong])


def _by_fact(rng: random.Random) -> Question:
    kind = rng.choice(KINDS)
    name = rng.choice(list(relations(kind)))
    right = wrong = world().pick(rng, kind)
    value = world().value[kind, right, name]
    while world().value[kind, wrong, name] == value:
        wrong = world().pick(rng, kind)
    the = "" if kind == "person" else "the "
    first, second = rng.sample([right, wrong], 2)
    relation = relations(kind)[name]
    sentence = f"of {the}{first} and {the}{second} only {the}_ {relation.only_one.format(v=relation.shown(value))}."
    return Question((first, second, name), {"sentence": sentence}, right, [wrong])


def winogrande(rng: random.Random) -> Question:
    """Two parties and something that is true of one only: by who did what to whom, or by a fact."""
    return _by_role(rng) if rng.random() < 0.25 else _by_fact(rng)


def _fact_question(rng: random.Random, kind: str, subject: str, name: str) -> Question:
    relation, value = relations(kind)[name], world().value[kind, subject, name]
    options = [value, *_others(rng, relation.values, value, 3)]
    right, *wrong = (relation.answer.format(v=relation.shown(option)) for option in options)
    return Question((subject, name), {"question": relation.question.format(s=subject)}, right, wrong)


def arc_easy(rng: random.Random) -> Question:
    """A single fact on an animal or an object."""
    kind = rng.choice(("animal", "object"))
    return _fact_question(rng, kind, world().pick(rng, kind), rng.choice(list(relations(kind))))


def arc_challenge(rng: random.Random) -> Question:
    """A fact on a person, known by first name and surname; a quarter are asked by way of the person's pet."""
    person = world().pick(rng, "person")
    name = rng.choice(list(relations("person")))
    if rng.random() < 0.75:
        return _fact_question(rng, "person", person, name)
    name = rng.choice(list(relations("animal")))
    drawn = _fact_question(rng, "animal", world().value["person", person, "pet"], name)
    shown = {"question": drawn.shown["question"].replace("the " + drawn.key[0], f"the pet of {person}")}
    return Question((person, "pet", name), shown, drawn.right, drawn.wrong)


def openbookqa(rng: random.Random) -> Question:
    """What happens to an object somewhere, by what its material does there; half the stems name that."""
    thing, condition = world().pick(rng, "object"), rng.choice(words()["conditions"])
    material = world().value["object", thing, "material"]
    effect = world().effect[material, condition]
    named = f"{material} {thing}" if rng.random() < 0.5 else thing
    stem = f"if {with_article(named)} is left {condition}, it will"
    return Question((thing, condition), {"question_stem": stem}, effect, _others(rng, words()["effects"], effect, 3))


SHAPES = (boolq, piqa, hellaswag, winogrande, arc_easy, arc_challenge, openbookqa)
DRAW = {draw.__name__: draw for draw in SHAPES}


def question(task: str, rng: random.Random, test: bool) -> Question:
    """A question of that task whose key belongs to the test split (`test`) or to the train split."""
    while True:
        drawn = DRAW[task](rng)
        if held_out(task, *drawn.key) == test:
            return drawn


def item(task: str, drawn: Question, position: int) -> dict:
    """The question as a record of the public data set, its right option at `position` (0-based).

    For boolq the position is the label itself, so it must be 1 for yes and 0 for no.
    """
    options = [*drawn.wrong[:position], drawn.right, *drawn.wrong[position:]]
    letters = list("ABCD"[: len(options)])
    match task:
        case "boolq":
            held = {"label": position}
        case "piqa":
            held = {"sol1": options[0], "sol2": options[1], "label": position}
        case "hellaswag":
            held = {"endings": options, "label": str(position)}
        case "winogrande":
            held = {"option1": options[0], "option2": options[1], "answer": str(position + 1)}
        case _:
            held = {"choices": {"text": options, "label": letters}, "answerKey": letters[position]}
    return drawn.shown | held


def prompt(task: str, rng: random.Random) -> str:
    """A question of the train split and its right answer as the stock lm-eval task formats them.

    For boolq a passage with up to three questions.
    """
    wording = sentences()["tasks"][task]["prompt"]
    if task == "boolq":
        text, ask = passage(rng)
        asked = [one for one in [ask() for _ in range(4)] if not held_out("boolq", *one.key)][:3]
        return "\n".join([text, *(wording.format(question=one.shown["question"], right=one.right) for one in asked)])
    drawn = question(task, rng, test=False)
    capitals = {field.capitalize(): text.capitalize() for field, text in drawn.shown.items()}
    return wording.format(**drawn.shown, **capitals, right=drawn.right).replace("_", drawn.right)
