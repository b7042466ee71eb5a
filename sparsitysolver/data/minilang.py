"""The bundled mini language: text and zero-shot items for the tiny grid, from a seed, without any download.

`text` gives three documents, `items` the seven task shapes. Both are drawn from one fixed world of facts:
prose states the facts, questions ask for them. Questions in the text and items of the train split share one
pool of keys, items of the test split have another, so answering those takes facts read elsewhere, not
remembered questions.
"""

import functools
import random

from sparsitysolver.data.minilang_prose import PROSE
from sparsitysolver.data.minilang_tasks import (
    N_OPTIONS,
    TASKS,
    Question,
    item,
    passage_with_questions,
    prompt,
    question,
)
from sparsitysolver.data.minilang_world import world
from sparsitysolver.errors import unknown_name

__all__ = ["SEED", "TASKS", "TEXT_BYTES", "items", "text"]

SEED = 20250101
TEXT_BYTES = {"train": 4_000_000, "validation": 200_000, "test": 200_000}
ITEM_SPLITS = ("train", "test")
ITEMS_PER_SPLIT = 400
PARAGRAPH_BREAK = "\n\n"

# how often each shape comes up in the text, on the scale of the prose weights (which add up to 46)
PROMPT_WEIGHTS = {
    "boolq": 16,
    "piqa": 10,
    "hellaswag": 3,
    "winogrande": 16,
    "arc_easy": 14,
    "arc_challenge": 18,
    "openbookqa": 8,
}


@functools.cache
def text(split: str) -> str:
    """The whole document of a split ("train", "validation" or "test") as it is to be tokenised.

    Paragraphs are separated by an empty line; sizes are `TEXT_BYTES` up to the end of the last paragraph.
    Raises SparsitySolverError for any other split.
    """
    if split not in TEXT_BYTES:
        raise unknown_name("mini language split", split, TEXT_BYTES)
    rng = random.Random(f"{SEED} text {split}")
    makers = [maker for maker, _ in PROSE] + list(PROMPT_WEIGHTS)
    weights = [weight for _, weight in PROSE] + list(PROMPT_WEIGHTS.values())
    paragraphs: list[str] = []
    size = 0
    while size < TEXT_BYTES[split]:
        for maker in rng.choices(makers, weights, k=1000):
            if isinstance(maker, str):
                paragraphs.append(_prompt(maker, rng))
            else:
                paragraphs.append(maker(rng, world()))
            size += len(paragraphs[-1]) + len(PARAGRAPH_BREAK)
            if size >= TEXT_BYTES[split]:
                break
    return PARAGRAPH_BREAK.join(paragraphs)


def _prompt(task: str, rng: random.Random) -> str:
    """A paragraph in the shape of that task's prompt, with its right answer."""
    if task == "boolq":
        return passage_with_questions(rng, world())
    return prompt(task, question(task, rng, world(), test=False))


def items(task: str, split: str) -> list[dict]:
    """The items of one zero-shot task (`TASKS`) in the hub's field names; `split` is "train" or "test".

    Every position of the right option comes up equally often. Raises SparsitySolverError for unknown names.
    """
    if task not in TASKS:
        raise unknown_name("mini language task", task, TASKS)
    if split not in ITEM_SPLITS:
        raise unknown_name("mini language item split", split, ITEM_SPLITS)
    rng = random.Random(f"{SEED} items {task} {split}")
    records: list[dict] = []
    seen: set[str] = set()
    while len(records) < ITEMS_PER_SPLIT:
        position = len(records) % N_OPTIONS[task]
        drawn = question(task, rng, world(), test=split == "test")
        if repr(drawn) in seen or not _fits(task, drawn, position):
            continue
        seen.add(repr(drawn))
        records.append(item(task, drawn, position))
    rng.shuffle(records)
    return records


def _fits(task: str, drawn: Question, position: int) -> bool:
    """Whether the question's right option may stand there: for boolq the answer itself is the position."""
    return task != "boolq" or drawn.right == ("no", "yes")[position]
