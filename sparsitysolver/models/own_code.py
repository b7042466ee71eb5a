"""Model folders that bring code of their own: nothing of it is ever run, and nobody is asked whether to."""

import json
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

from sparsitysolver.errors import SparsitySolverError

_ENTRY = "auto_map"  # names the classes in a folder's Python files that are to take the stock ones' place
_FILES = ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json")


def refuse_own_code(location: str, revision: str | None) -> None:
    """Refuse a folder or hub id that is defined by its own code, also where a stock class could read its weights.

    Raises:
        SparsitySolverError: naming folder, file and classes.
    """
    for name in _FILES:
        classes = _own_classes(location, name, revision)
        if classes:
            raise SparsitySolverError(
                f"the model in {location} is defined by code of its own ({name}: {_ENTRY} names {classes}), which is "
                "never run here: give a model of a stock architecture (LLaMA, Mistral or OPT) without it."
            )


def _own_classes(location: str, name: str, revision: str | None) -> str:
    """What a file's entry names, on one line; nothing where there is no such file or entry."""
    try:
        path = cached_file(location, name, revision=revision or "main")
        content = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):  # not there or broken: whoever needs the file says so
        return ""
    entry: Any = content.get(_ENTRY) if isinstance(content, dict) else None
    return " ".join(json.dumps(entry).split())[:200] if entry else ""
