"""The closed vocabulary of the mini language: word lists only, no logic beyond plural and article.

Nouns are chosen so that their plural is regular, which lets one function cover agreement.
"""


def _list(text: str, separator: str | None = None) -> list[str]:
    return text.split(separator)


WOMEN = _list("anna clara emma greta helen irene julia laura maria nora olga rosa sofia tessa")
MEN = _list("adam boris carl david erik frank hugo ivan jonas karl leo martin oscar peter")
# those who lend each other things: few, so that who did what has to be read, not remembered
CLOSE_FRIENDS = WOMEN[:6] + MEN[:6]
SURNAMES = _list("hill brook stone field wood marsh lake ford moor vale")
TOWNS = _list(
    "oakton milford ashby redport elmwood westby norton kingsley fairview greyford highgate larkham "
    "stonebridge riverton whitby sunbury"
)
JOBS = _list(
    "baker carpenter doctor farmer fisher gardener hunter judge lawyer miller nurse painter pilot potter "
    "sailor singer tailor teacher weaver writer"
)
MEALS = _list(
    "apples beans berries bread cabbage carrots cheese corn eggs honey mushrooms nuts onions pears plums rice"
)

ANIMALS = _list(
    "badger bear beaver bee camel cat cow crab crow dog donkey duck eagle falcon fox frog goat hamster "
    "hare hen heron horse lizard mole monkey otter owl parrot pig rabbit rat seal snake spider swan "
    "tiger toad turtle weasel zebra"
)
PETS = _list("cat cow dog donkey duck frog goat hamster hen horse lizard parrot pig rabbit snake turtle")
HABITATS = _list("cave desert forest garden meadow mountain pond river swamp valley island jungle")
DIETS = _list("ants acorns bark clover eels flies grass leaves moss moths roots seeds shrimps slugs snails worms")
SOUNDS = _list("bark chirp growl grunt hiss hoot howl roar squeak whistle")
COLOURS = _list("black blue brown green grey orange purple red white yellow")

OBJECTS = _list(
    "anchor basket bell bench bottle bowl box bracelet bridge bucket button cage candle chain chair "
    "chest clock coin comb crown cup door drum fence flute fork gate hammer helmet hook jar kettle key "
    "ladder lamp lock mask mirror mug nail necklace needle oven pan pipe plate pot ring rope saddle "
    "scale shield shovel spear spoon statue sword table tower toy tray vase wheel window"
)
MATERIALS = _list("clay copper glass gold ice iron paper silver steel wax wood wool")
ROOMS = _list("attic barn bedroom cellar church hall kitchen library market school stable workshop")

# conditions an object can be left in, and what then happens to it; the pairing is a fact of the world
CONDITIONS = _list(
    "in the rain|in the fire|in the sun|in the snow|in salt water|under a heavy rock|in strong wind|in acid|"
    "in the mud|near a magnet",
    "|",
)
EFFECTS = _list(
    "bend|break|burn|crack|dissolve|fade|freeze|glow|melt|rot|rust|shine|shrink|sink|swell|turn dark",
    "|",
)

# things one can work on, in four classes that share their tools
PATIENTS = {
    "food": _list("bean cake carrot fish loaf onion pie potato"),
    "cloth": _list("blanket carpet coat curtain dress flag scarf shirt"),
    "timber": _list("beam board branch log mast pole stump trunk"),
    "stonework": _list("arch brick floor pillar roof step tile wall"),
}
WORK = _list("clean cover cut dry fix lift mark measure move polish press shape smooth split store wash")
TOOLS = _list(
    "axe blade brush cart chisel cloth crane file glue hoist iron knife pencil plane press rake razor "
    "ruler sack saw scissors soap sponge tape"
)

# activities and the pool of steps from which each takes five, in a fixed order
ACTIVITY_VERBS = _list("baking building cooking fixing growing making painting planting selling")
ACTIVITY_NOUNS = _list("boat cakes dinner fence house jam roses shoes soup")
STEP_VERBS = _list(
    "adds boils brings checks cools counts fills finds folds heats hides mixes opens pours puts rolls "
    "sells shakes sorts stirs takes ties turns warms weighs wraps"
)
STEP_NOUNS = _list(
    "bag butter cream dough flour fruit milk oil parcel salt sand seed sheet spice stick stones string "
    "sugar syrup tea thread water wire yeast"
)

# why somebody hands something over: each reason fits one role only
REASONS = {
    "has": ["had two of them", "did not use it", "could spare it", "had no more room"],
    "lacks": ["needed it", "had none", "had lost one", "wanted to try it"],
    "knows": ["knew it well", "could explain it", "had studied it", "understood it"],
    "wonders": ["did not know it", "wanted to learn", "had never seen it", "was curious"],
    "strong": ["was strong", "felt well", "had free hands", "was young"],
    "weak": ["was tired", "was ill", "felt weak", "was old"],
    "big": ["was too big", "was too wide", "was too long", "was too tall"],
    "small": ["was too small", "was too narrow", "was too short", "was too tight"],
}
# clause, role of the first party, role of the second
PERSON_CLAUSES = [
    ("{a} lent the {o} to {b}", "has", "lacks"),
    ("{a} borrowed the {o} from {b}", "lacks", "has"),
    ("{a} gave {b} the {o}", "has", "lacks"),
    ("{a} bought the {o} from {b}", "lacks", "has"),
    ("{a} asked {b} about the {o}", "wonders", "knows"),
    ("{a} told {b} about the {o}", "knows", "wonders"),
    ("{a} carried the {o} for {b}", "strong", "weak"),
    ("{a} let {b} carry the {o}", "weak", "strong"),
]
OBJECT_CLAUSES = [
    ("the {a} did not fit into the {b}", "big", "small"),
    ("the {a} could not hold the {b}", "small", "big"),
]


def plural(noun: str) -> str:
    """Regular English plural of a noun in the lists above."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def with_article(noun: str) -> str:
    """The noun behind "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
