"""The seven zero-shot task shapes in the mini language, with the field names of the public data sets.

Each shape draws a question: a key that decides train or test, what the shape shows, the right option and the
wrong ones. `item` turns it into a record as the data set on the hub holds it, `prompt` into the text that the
stock lm-eval task would show together with the right answer, which is how questions enter the training text.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from sparsitysolver.data import minilang_words as words
from sparsitysolver.data.minilang_prose import ORDINALS, describe
from sparsitysolver.data.minilang_wordings import FACT_QUESTIONS, ONLY_ONE, UNFIT, YES_NO_QUESTIONS
from sparsitysolver.data.minilang_world import RELATIONS, World, held_out, pronoun

LETTERS = "ABCD"
N_OPTIONS = {
    "boolq": 2,
    "piqa": 2,
    "hellaswag": 4,
    "winogrande": 2,
    "arc_easy": 4,
    "arc_challenge": 4,
    "openbookqa": 4,
}
TASKS = tuple(N_OPTIONS)


@dataclass(frozen=True)
class Question:
    """One drawn question; `shown` holds the fields that come before the options."""

    key: tuple[str, ...]
    shown: dict[str, str]
    right: str
    wrong: list[str]


def _others(rng: random.Random, values: list[str], value: str, count: int) -> list[str]:
    return rng.sample([other for other in values if other != value], count)


def _with_article(relation: str, value: str) -> str:
    return words.with_article(value) if relation in ("job", "pet") else value


@dataclass(frozen=True)
class Passage:
    """A short text on one or two subjects of one kind, and the relations it states of each."""

    kind: str
    subjects: list[str]
    relations: list[str]
    text: str


def passage(rng: random.Random, world: World) -> Passage:
    """Draw subjects and two relations, and describe each subject by these."""
    kind = rng.choice(tuple(RELATIONS))
    subjects = list(dict.fromkeys(world.pick(rng, kind) for _ in range(rng.randint(1, 2))))
    relations = rng.sample(list(RELATIONS[kind]), 2)
    texts = [describe(rng, world, kind, subject, rng.sample(relations, 2)) for subject in subjects]
    return Passage(kind, subjects, relations, " ".join(texts))


def ask(rng: random.Random, world: World, read: Passage) -> Question:
    """A yes/no question that the passage answers.

    Half the wrong values could never be true, which is easy; some are the other subject's, which is hard.
    """
    subject, relation = rng.choice(read.subjects), rng.choice(read.relations)
    value = world.value[read.kind, subject, relation]
    theirs = [world.value[read.kind, other, relation] for other in read.subjects]
    yes = rng.random() < 0.5
    if not yes:
        near = [other for other in theirs if other != value]
        kind_of_wrong = rng.random()
        if kind_of_wrong < 0.5:
            value = rng.choice(UNFIT[read.kind, relation])
        elif kind_of_wrong < 0.7 and near:
            value = rng.choice(near)
        else:
            value = _others(rng, RELATIONS[read.kind][relation], value, 1)[0]
    question = YES_NO_QUESTIONS[read.kind, relation].format(s=subject, v=_with_article(relation, value))
    right, wrong = ("yes", "no") if yes else ("no", "yes")
    return Question((subject, relation), {"passage": read.text, "question": question}, right, [wrong])


def boolq(rng: random.Random, world: World) -> Question:
    """A passage and a yes/no question on it."""
    return ask(rng, world, passage(rng, world))


def piqa(rng: random.Random, world: World) -> Question:
    """How to do some work on something: the right tool depends on the work and on the class of the thing."""
    work, material = rng.choice(words.WORK), rng.choice(list(words.PATIENTS))
    patient = rng.choice(words.PATIENTS[material])
    tool = world.tool[work, material]
    # half the time the other solution is a tool that fits the same work on something else
    near = [world.tool[work, other] for other in words.PATIENTS if world.tool[work, other] != tool]
    wrong = rng.choice(near) if near and rng.random() < 0.5 else _others(rng, words.TOOLS, tool, 1)[0]
    solutions = [f"take the {choice} and {work} the {patient} with it." for choice in (tool, wrong)]
    return Question((work, patient), {"goal": f"how do you {work} the {patient}?"}, solutions[0], solutions[1:])


def hellaswag(rng: random.Random, world: World) -> Question:
    """An activity half way through; wrong endings are steps of it out of turn and steps of another one."""
    person, activity = world.pick(rng, "person"), rng.choice(list(world.steps))
    steps = world.steps[activity]
    at = rng.randint(1, len(steps) - 1)
    he = pronoun(person)
    done = [f"{ordinal} {he} {step}." for ordinal, step in zip(ORDINALS, steps[max(0, at - 2) : at])]
    out_of_turn = [step for i, step in enumerate(steps) if i > at or i < at - 2]
    foreign = rng.choice(_others(rng, list(world.steps), activity, 1))
    pool = [step for step in world.steps[foreign] if step not in steps]
    wrong = rng.sample(out_of_turn, 1) + rng.sample(pool, 2)
    shown = {
        "activity_label": activity,
        "ctx_a": " ".join([f"today {person} is {activity}.", *done]),
        "ctx_b": f"then {he}",
    }
    return Question((activity, str(at), person), shown, f"{steps[at]}.", [f"{step}." for step in wrong])


def _by_role(rng: random.Random) -> Question:
    if rng.random() < 0.75:
        first, second = rng.sample(words.CLOSE_FRIENDS, 2)
        clause, role_first, role_second = rng.choice(words.PERSON_CLAUSES)
        blank = "_"
    else:
        first, second = rng.sample(words.OBJECTS, 2)
        clause, role_first, role_second = rng.choice(words.OBJECT_CLAUSES)
        blank = "the _"
    thing = rng.choice(words.OBJECTS)
    about_first = rng.random() < 0.5
    reason = rng.choice(words.REASONS[role_first if about_first else role_second])
    sentence = f"{clause.format(a=first, b=second, o=thing)} because {blank} {reason}."
    right, wrong = (first, second) if about_first else (second, first)
    return Question((clause, first, second, reason), {"sentence": sentence}, right, [wrong])


def _by_fact(rng: random.Random, world: World) -> Question:
    kind = rng.choice(tuple(RELATIONS))
    relation = rng.choice(list(RELATIONS[kind]))
    right = wrong = world.pick(rng, kind)
    value = world.value[kind, right, relation]
    while world.value[kind, wrong, relation] == value:
        wrong = world.pick(rng, kind)
    the = "" if kind == "person" else "the "
    first, second = rng.sample([right, wrong], 2)
    predicate = ONLY_ONE[kind, relation].format(v=_with_article(relation, value))
    sentence = f"of {the}{first} and {the}{second} only {the}_ {predicate}."
    return Question((first, second, relation), {"sentence": sentence}, right, [wrong])


def winogrande(rng: random.Random, world: World) -> Question:
    """Two parties and something that is true of one only: by who did what to whom, or by a fact."""
    return _by_role(rng) if rng.random() < 0.25 else _by_fact(rng, world)


def _fact_question(rng: random.Random, world: World, kind: str, subject: str, relation: str) -> Question:
    value = world.value[kind, subject, relation]
    question, shape = FACT_QUESTIONS[kind, relation]
    options = [value, *_others(rng, RELATIONS[kind][relation], value, 3)]
    options = [shape.format(v=_with_article(relation, option)) for option in options]
    return Question((subject, relation), {"question": question.format(s=subject)}, options[0], options[1:])


def arc_easy(rng: random.Random, world: World) -> Question:
    """A single fact on an animal or an object."""
    kind = rng.choice(("animal", "object"))
    return _fact_question(rng, world, kind, world.pick(rng, kind), rng.choice(list(RELATIONS[kind])))


def arc_challenge(rng: random.Random, world: World) -> Question:
    """A fact on a person, known by first name and surname; a quarter are asked by way of the person's pet."""
    person = world.pick(rng, "person")
    relation = rng.choice(list(RELATIONS["person"]))
    if rng.random() < 0.75:
        return _fact_question(rng, world, "person", person, relation)
    relation = rng.choice(list(RELATIONS["animal"]))
    drawn = _fact_question(rng, world, "animal", world.value["person", person, "pet"], relation)
    shown = {"question": drawn.shown["question"].replace("the " + drawn.key[0], f"the pet of {person}")}
    return Question((person, "pet", relation), shown, drawn.right, drawn.wrong)


def openbookqa(rng: random.Random, world: World) -> Question:
    """What happens to an object somewhere, by what its material does there; half the stems name that."""
    thing, condition = world.pick(rng, "object"), rng.choice(words.CONDITIONS)
    material = world.value["object", thing, "material"]
    effect = world.effect[material, condition]
    named = f"{material} {thing}" if rng.random() < 0.5 else thing
    stem = f"if {words.with_article(named)} is left {condition}, it will"
    return Question((thing, condition), {"question_stem": stem}, effect, _others(rng, words.EFFECTS, effect, 3))


DRAW: dict[str, Callable[[random.Random, World], Question]] = {
    "boolq": boolq,
    "piqa": piqa,
    "hellaswag": hellaswag,
    "winogrande": winogrande,
    "arc_easy": arc_easy,
    "arc_challenge": arc_challenge,
    "openbookqa": openbookqa,
}


def question(task: str, rng: random.Random, world: World, test: bool) -> Question:
    """A question of that task whose key belongs to the test split (`test`) or to the train split."""
    while True:
        drawn = DRAW[task](rng, world)
        if held_out(task, *drawn.key) == test:
            return drawn


def item(task: str, drawn: Question, position: int) -> dict:
    """The question as a record of the public data set, its right option at `position` (0-based).

    For boolq the position is the label itself, so it must be 1 for yes and 0 for no.
    """
    options = list(drawn.wrong)
    options.insert(position, drawn.right)
    if task == "boolq":
        return {**drawn.shown, "label": position}
    if task == "piqa":
        return {**drawn.shown, "sol1": options[0], "sol2": options[1], "label": position}
    if task == "hellaswag":
        return {**drawn.shown, "endings": options, "label": str(position)}
    if task == "winogrande":
        return {**drawn.shown, "option1": options[0], "option2": options[1], "answer": str(position + 1)}
    letters = list(LETTERS[: len(options)])
    return {
        **drawn.shown,
        "choices": {"text": options, "label": letters},
        "answerKey": letters[position],
    }


def passage_with_questions(rng: random.Random, world: World) -> str:
    """A passage with up to three questions of the train split, in the form of boolq."""
    read = passage(rng, world)
    drawn = [ask(rng, world, read) for _ in range(4)]
    drawn = [one for one in drawn if not held_out("boolq", *one.key)][:3]
    answered = [f"Question: {one.shown['question']}?\nAnswer: {one.right}" for one in drawn]
    return "\n".join([read.text, *answered])


def prompt(task: str, drawn: Question) -> str:
    """The question and its right answer as the stock lm-eval task formats them (boolq: `passage_with_questions`)."""
    shown = drawn.shown
    if task == "piqa":
        return f"Question: {shown['goal']}\nAnswer: {drawn.right}"
    if task == "hellaswag":
        return f"{shown['activity_label']}: {shown['ctx_a']} {shown['ctx_b'].capitalize()} {drawn.right}"
    if task == "winogrande":
        return shown["sentence"].replace("_", drawn.right)
    if task == "openbookqa":
        return f"{shown['question_stem']} {drawn.right}"
    return f"Question: {shown['question']}\nAnswer: {drawn.right}"
