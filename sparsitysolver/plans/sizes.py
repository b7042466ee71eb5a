"""How large a model is: from its files' headers and ``config.json``, or the registry, without loading it (no torch)."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from sparsitysolver.config.registry import models_table
from sparsitysolver.model_files import configuration, weight_files

WINDOW = 2048  # tokens of a window, where the model takes as many
_HEADER_LENGTH = 8  # bytes at the start of a safetensors file, before the header that they count
_LARGEST_HEADER = 100_000_000  # bytes, of the format
_VOCABULARY, _HIDDEN = 50_000, 4096  # where nothing says
_BYTES = {"float64": 8, "float32": 4, "float8_e4m3fn": 1, "int8": 1}  # per parameter; two of all others


@dataclass(frozen=True)
class Size:
    """Numbers that decide what a job on a model costs."""

    parameters: int
    hidden: int
    vocabulary: int
    window: int  # tokens of its longest window, at most WINDOW


def size_of(model: str, folder: Path | None) -> Size:
    """A model's size: that of its folder, else what ``config/models.tsv`` says of the hub's."""
    if folder is None:
        row = models_table()[model]
        return Size(row.parameters, row.hidden, _VOCABULARY, WINDOW)
    config = configuration(folder)
    dtype = str(config.get("dtype") or config.get("torch_dtype"))
    return Size(
        parameters=sum(
            _parameters(path, dtype) for path in weight_files(folder) if path.suffix != ".json" and path.is_file()
        ),
        hidden=_number(config.get("hidden_size"), _HIDDEN),
        vocabulary=_number(config.get("vocab_size"), _VOCABULARY),
        window=min(WINDOW, _number(config.get("max_position_embeddings"), WINDOW)),
    )


def _parameters(path: Path, dtype: str) -> int:
    """Numbers in a file of weights: by the header of safetensors, else by its bytes and the precision they are in."""
    counted = sum(map(math.prod, _shapes(path))) if path.suffix == ".safetensors" else 0
    return counted or path.stat().st_size // _BYTES.get(dtype, 2)


def _shapes(path: Path) -> list[list[int]]:
    """Shapes of the tensors in a safetensors file; none where it is broken, which is told when the model is loaded."""
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(_HEADER_LENGTH), "little")
        text = handle.read(length) if length <= _LARGEST_HEADER else b""
    try:
        return [entry["shape"] for name, entry in json.loads(text).items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default
