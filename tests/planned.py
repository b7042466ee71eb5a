"""An assets folder of a few bytes a file, to plan on: planning reads no weights."""

from pathlib import Path

from sparsitysolver.config.settings import DEFAULT_TASKS


def make_assets(folder: Path) -> Path:
    """Models ``a`` and ``b``, texts and tasks, as :class:`Assets` expects them."""
    for name in ("a", "b"):
        model = folder / "models" / name
        model.mkdir(parents=True)
        (model / "config.json").write_text(f'{{"name": "{name}"}}')
        (model / "tokenizer.json").write_text("{}")
        (model / "model.safetensors").write_bytes(name.encode() * 10)
    (folder / "wikitext2").mkdir()
    for split in ("train", "valid", "test"):
        (folder / "wikitext2" / f"{split}.txt").write_text(split)
    (folder / "c4").mkdir()
    (folder / "c4" / "sample.jsonl").write_text('{"text": "x"}')
    (folder / "tasks").mkdir()
    for task in DEFAULT_TASKS:
        (folder / "tasks" / f"{task}.jsonl").write_text("{}")
    return folder
