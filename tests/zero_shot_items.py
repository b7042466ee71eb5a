"""Zero-shot items for tests: of the bundled mini language, and of words that the tiny tokenizer knows."""

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.data.items import Items, load_items

MINI = [key for key, row in tasks_table().items() if row.dataset == "mini" and row.kind == "zero_shot"]
BUNDLED_MODELS = ("opt-tiny", "llama-tiny", "mistral-tiny")


def mini(task: str, limit: int | None = None, part: str = "report") -> Items:
    """Items of the mini language."""
    return load_items(task, part, Assets(None), limit)


def piqa(*records: tuple[str, str, str, int]) -> Items:
    """PIQA items from goal, two solutions and label."""
    fields = ("goal", "sol1", "sol2", "label")
    rows = tuple(dict(zip(fields, record, strict=True)) for record in records)
    return Items("piqa", "piqa", rows, "piqa", "r", "report", "here")


WORDS = piqa(("w3 w4", "w5 w6", "w7", 1), ("w8", "w9", "w10 w11 w12", 0), ("w4 w4", "w13", "w14 w15", 0))
