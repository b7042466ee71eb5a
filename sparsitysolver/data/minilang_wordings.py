"""How each relation of the world is asked for: wordings and never-true values, by kind and relation.

{s} stands for the subject, {v} for the value.
"""

from sparsitysolver.data import minilang_words as words

# question and shape of the answer, by kind and relation
FACT_QUESTIONS = {
    ("person", "town"): ("where does {s} live?", "in {v}"),
    ("person", "job"): ("what does {s} work as?", "{v}"),
    ("person", "pet"): ("what does {s} keep at home?", "{v}"),
    ("person", "meal"): ("what does {s} like to eat?", "{v}"),
    ("animal", "habitat"): ("where does the {s} live?", "in the {v}"),
    ("animal", "diet"): ("what does the {s} eat?", "{v}"),
    ("animal", "colour"): ("which colour is the {s}?", "{v}"),
    ("animal", "sound"): ("what does the {s} do at night?", "{v}"),
    ("object", "material"): ("what is the {s} made of?", "{v}"),
    ("object", "room"): ("where is the {s} kept?", "in the {v}"),
    ("object", "colour"): ("which colour is the {s} painted?", "{v}"),
}
YES_NO_QUESTIONS = {
    ("person", "town"): "does {s} live in {v}",
    ("person", "job"): "does {s} work as {v}",
    ("person", "pet"): "does {s} keep {v}",
    ("person", "meal"): "does {s} eat {v}",
    ("animal", "habitat"): "does the {s} live in the {v}",
    ("animal", "diet"): "does the {s} eat {v}",
    ("animal", "colour"): "is the {s} {v}",
    ("animal", "sound"): "does the {s} {v}",
    ("object", "material"): "is the {s} made of {v}",
    ("object", "room"): "is the {s} kept in the {v}",
    ("object", "colour"): "is the {s} painted {v}",
}
# values that are never true of anybody, for the easier half of the questions to be answered with no: a small model
# first learns to look at the value through these, which opens the way to comparing it with the passage
UNFIT = {
    ("person", "town"): [f"the {part}" for part in words.PATIENTS["stonework"]],
    ("person", "job"): words.PATIENTS["cloth"],
    ("person", "pet"): words.PATIENTS["timber"],
    ("person", "meal"): words.STEP_NOUNS,
    ("animal", "habitat"): words.PATIENTS["food"],
    ("animal", "diet"): words.STEP_NOUNS,
    ("animal", "colour"): words.STEP_NOUNS,
    ("animal", "sound"): words.EFFECTS,
    ("object", "material"): words.STEP_NOUNS,
    ("object", "room"): words.PATIENTS["food"],
    ("object", "colour"): words.STEP_NOUNS,
}
# what is said of one of two, for the same pairs
ONLY_ONE = {
    ("person", "town"): "lives in {v}",
    ("person", "job"): "works as {v}",
    ("person", "pet"): "keeps {v}",
    ("person", "meal"): "likes to eat {v}",
    ("animal", "habitat"): "lives in the {v}",
    ("animal", "diet"): "eats {v}",
    ("animal", "colour"): "is {v}",
    ("animal", "sound"): "can {v}",
    ("object", "material"): "is made of {v}",
    ("object", "room"): "is kept in the {v}",
    ("object", "colour"): "is painted {v}",
}
