"""Which files of a model's folder decide what the model computes (no torch): what content keys are made of."""

import hashlib
import json
from pathlib import Path
from typing import Any

from sparsitysolver.file_hashes import cached_sha256
from sparsitysolver.records.files import content_key

CONFIG_FIELD = "sparsitysolver"  # of the config.json of a pruned model: its structure
PRUNING_RECORD = "pruning.json"  # what ``prune`` says of a pruned model
# As transformers looks for weights: the first of these that is there is read, an index with the shards it names.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
# Neither model nor tokenizer is read from these.
_SAMPLING = "generation_config.json"
_WITHOUT_EFFECT = {_SAMPLING, "adapter_config.json", "trainer_state.json", "training.json", PRUNING_RECORD, *WEIGHTS}
_STARTS_WITHOUT_EFFECT = (".", "license", "notice", "readme", "use_policy", "events.out")
_ENDS_WITHOUT_EFFECT = (
    *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".onnx", ".npz", ".ot"),
    *(".md", ".py", ".pyc", ".sh", ".log", ".lock", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg"),
)

# Of a configuration: where it was read from, who wrote it, the precision its weights are stored in (which the weights
# themselves say).
_NOT_COMPUTED = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache", "architectures")


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers reads a folder's weights from, an index first, whether its shards are there or not.

    Empty where there are none. Further weights beside them (other formats, adapters) are not read.
    """
    named = configuration(folder).get("transformers_weights")
    name = next((name for name in (*([named] if named else []), *WEIGHTS) if (folder / name).is_file()), None)
    if name is None:
        return []
    try:
        index = json.loads((folder / name).read_text(encoding="utf-8")) if name.endswith(".index.json") else {}
        shards = sorted({str(shard) for shard in index["weight_map"].values()}) if index else []
    except (ValueError, KeyError, TypeError, AttributeError):  # a broken index is told when the model is loaded
        shards = []
    return [folder / name, *(folder / shard for shard in shards)]


def configuration(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """``config.json`` or its like; empty where it is missing or broken, which is told when the model is loaded."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def deciding_files(folder: Path) -> list[Path]:
    """All files of a folder that may decide a number: weights, configuration, whatever a tokenizer may read.

    A tokenizer reads files of many names, so that all count but those known to have no effect: weights in forms that
    are not read, adapters, generation settings, documents, what training left behind.
    """
    files = {path for path in weight_files(folder) if path.is_file()}
    for path in filter(Path.is_file, folder.iterdir()):
        name = path.name.lower()
        idle = name in _WITHOUT_EFFECT or name.startswith(_STARTS_WITHOUT_EFFECT) or name.endswith(_ENDS_WITHOUT_EFFECT)
        files |= set() if idle else {path}
    return sorted(files)


def folder_sha256(folder: Path) -> str:
    """Identity of a local model for content keys: its deciding files, names and contents, wherever the folder lies."""
    return _digest([(path.name, cached_sha256(path)) for path in deciding_files(folder)])


def chat_model_sha256(folder: Path) -> str:
    """Identity of a model that is talked to: how it samples counts too."""
    sampling = folder / _SAMPLING
    return content_key([folder_sha256(folder), cached_sha256(sampling) if sampling.is_file() else None], 64)


def weights_sha256(folder: Path) -> str:
    """Identity of a local model's weights: names and contents of the files they are read from, the index apart."""
    files = [path for path in weight_files(folder) if path.suffix != ".json" and path.is_file()]
    return _digest([(path.name, cached_sha256(path)) for path in files])


def model_sha256(folder: Path) -> str:
    """Identity of what a local model computes of token ids: its weights, and what its configuration makes of them."""
    kept = {name: value for name, value in configuration(folder).items() if name not in _NOT_COMPUTED}
    return content_key([weights_sha256(folder), kept], 64)


def _digest(hashed: list[tuple[str, str]]) -> str:
    return hashlib.sha256("".join(f"{name} {sha256}\n" for name, sha256 in hashed).encode()).hexdigest()
