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
# values that could never be true, for the easier half of the questions to be answered with no
UNFIT = {
    ("person", "town"): [f"the {habitat}" for habitat in words.HABITATS],
    ("person", "job"): words.ANIMALS,
    ("person", "pet"): [animal for animal in words.ANIMALS if animal not in words.PETS],
    ("person", "meal"): words.DIETS,
    ("animal", "habitat"): words.ROOMS,
    ("animal", "diet"): words.MEALS,
    ("animal", "colour"): words.MATERIALS,
    ("animal", "sound"): words.EFFECTS,
    ("object", "material"): words.MEALS,
    ("object", "room"): words.HABITATS,
    ("object", "colour"): words.MATERIALS,
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
