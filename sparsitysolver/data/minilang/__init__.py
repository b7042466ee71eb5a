"""The bundled mini language: text and zero-shot items for the tiny grid, from a seed, without any download.

`text` gives three documents, `items` the seven task shapes. Both are drawn from one fixed world of facts:
prose states the facts, questions ask for them. Questions in the text and items of the train split share one
pool of keys, items of the test split have another, so answering those takes facts read elsewhere, not
remembered questions. Words and sentences are data, `words.yaml` and `sentences.yaml`.
"""

import functools
import random

from sparsitysolver.data.minilang.prose import PROSE
from sparsitysolver.data.minilang.questions import DRAW, item, prompt, question
from sparsitysolver.data.minilang.world import sentences
from sparsitysolver.errors import known

SEED = 20250101
TASKS = tuple(DRAW)
TEXT_BYTES = {"train": 4_000_000, "validation": 200_000, "test": 200_000}
ITEMS_PER_SPLIT = 400
PARAGRAPH_BREAK = "\n\n"


@functools.cache
def text(split: str) -> str:
    """The whole document of a split ("train", "validation" or "test") as it is to be tokenised.

    Paragraphs are separated by an empty line; sizes are `TEXT_BYTES` up to the end of the last paragraph.
    Raises SparsitySolverError for any other split.
    """
    rng = random.Random(f"{SEED} text {known('mini language split', split, TEXT_BYTES)}")
    tasks = sentences()["tasks"].items()
    makers = PROSE | {functools.partial(prompt, task): shape["weight"] for task, shape in tasks}
    paragraphs: list[str] = []
    size = 0
    while size < TEXT_BYTES[split]:
        for maker in rng.choices(list(makers), list(makers.values()), k=1000):
            paragraphs.append(maker(rng))
            size += len(paragraphs[-1]) + len(PARAGRAPH_BREAK)
            if size >= TEXT_BYTES[split]:
                break
    return PARAGRAPH_BREAK.join(paragraphs)


def items(task: str, split: str) -> list[dict]:
    """The items of one zero-shot task (`TASKS`) in the hub's field names; `split` is "train" or "test".

    Every position of the right option comes up equally often. Raises SparsitySolverError for unknown names.
    """
    known("mini language task", task, TASKS)
    known("mini language item split", split, ("train", "test"))
    rng = random.Random(f"{SEED} items {task} {split}")
    records: list[dict] = []
    seen: set[str] = set()
    while len(records) < ITEMS_PER_SPLIT:
        position = len(records) % sentences()["tasks"][task]["options"]
        drawn = question(task, rng, test=split == "test")
        # of boolq the answer itself is the position
        if repr(drawn) in seen or (task == "boolq" and drawn.right != ("no", "yes")[position]):
            continue
        seen.add(repr(drawn))
        records.append(item(task, drawn, position))
    rng.shuffle(records)
    return records
