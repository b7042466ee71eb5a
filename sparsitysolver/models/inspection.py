"""What lies in a model folder, told before transformers reads it: the files that are read, and why some are no model.

Every check raises a :class:`SparsitySolverError` that names the folder, what was found there and what to do. Nothing
here imports torch.
"""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import WEIGHTS, weight_files

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
CUT_SHORT = "copy it again if it was cut short."
_MERGE = "merge it into its base (PEFT: merge_and_unload(), then save_pretrained())"
_VOCABULARIES = ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "tekken.json")
_TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_POINTER = b"version https://git-lfs"
_ZIP = b"PK\x03\x04"
_LISTED = 6  # names that a message lists


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no model: without ``config.json``, an adapter, or the root of a model in a hub cache."""
    adapter = [name for name in ADAPTER_FILES if (folder / name).is_file()]
    if not _there(folder, "config.json"):
        _refuse_hub_root(folder)
        if adapter:
            raise unreadable(folder, f"it holds {_adapter(folder)}, not a model: {_MERGE} and give that folder.")
        raise unreadable(folder, f"config.json is missing ({_found(folder)}){_inner_model(folder)}.")
    if adapter:
        raise unreadable(
            folder,
            f"beside the model lies {_adapter(folder)}, which is not applied here: {_MERGE} and give that folder, or "
            f"remove {' and '.join(adapter)} to go on without it.",
        )
    _refuse_pointers([folder / "config.json", folder / "generation_config.json"])


def check_weights(folder: Path) -> None:
    """Refuse missing weights, shards that the index names and the folder lacks, git-lfs pointers, and cut files."""
    for name in WEIGHTS:
        _there(folder, name)
    files = weight_files(folder)
    if not files:
        raise unreadable(folder, f"it has no weights: {_missing_weights(folder)} ({_found(folder)}).")
    _refuse_pointers(files)
    for path in files:
        if not _there(path.parent, path.name):
            raise unreadable(folder, f"{files[0].name} names {path.name}, which is missing; copy it again.")
    for path in files:
        if path.suffix == ".safetensors":
            _check_safetensors(path)
        # torch writes zip archives, whose table of contents comes last
        elif path.suffix == ".bin" and _start(path, len(_ZIP)) == _ZIP and not zipfile.is_zipfile(path):
            raise unreadable(folder, f"{path.name} ({path.stat().st_size} bytes) is no whole archive; {CUT_SHORT}")


def check_tokenizer(folder: Path) -> None:
    """Refuse missing tokenizer files and git-lfs pointers in their place."""
    for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt"):
        _there(folder, name)
    vocabularies = [path for pattern in _VOCABULARIES for path in sorted(folder.glob(pattern))]
    names = [path.name for path in vocabularies]
    copy = "copy the tokenizer's files from the model that it belongs to"
    if not vocabularies:
        wanted = "tokenizer.json (or tokenizer.model, or vocab.json and merges.txt) is missing"
        raise unreadable(folder, f"it has no tokenizer: {wanted} ({_found(folder)}); {copy}.")
    if names == ["vocab.json"] and not (folder / "merges.txt").is_file():
        raise unreadable(folder, f"merges.txt is missing beside vocab.json, and there is no tokenizer.json; {copy}.")
    read = vocabularies[:1] if names[0] == "tokenizer.json" else [*vocabularies, folder / "merges.txt"]
    _refuse_pointers([*read, *(folder / name for name in _TOKENIZER_SETTINGS)])


def unreadable(folder: Path | str, why: str) -> SparsitySolverError:
    """The error that a folder is no model that can be read."""
    return SparsitySolverError(f"cannot read the model in {folder}: {why}")


def _there(folder: Path, name: str) -> bool:
    """Whether a folder has a file; a link that leads nowhere is an error."""
    path = folder / name
    if path.is_symlink() and not path.exists():
        raise unreadable(folder, f"{name} is a link to {path.readlink()}, which is not there: copy what it links to.")
    return path.is_file()


def _found(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if not names:
        return "the folder is empty"
    return f"found: {', '.join(names[:_LISTED])}{' …' if len(names) > _LISTED else ''}"


def _inner_model(folder: Path) -> str:
    """A word on the models below a folder, such as the checkpoints of a training run."""
    inner = sorted(path.parent for path in folder.glob("*/config.json"))
    return f"; give {' or '.join(map(str, inner[:3]))}" if inner else ""


def _refuse_hub_root(folder: Path) -> None:
    """Refuse ``models--org--name`` of a hub cache: the model lies in one of its snapshots."""
    if not (folder / "snapshots").is_dir():
        return
    snapshots = sorted(path for path in (folder / "snapshots").iterdir() if path.is_dir())
    reference = folder / "refs" / "main"
    main = folder / "snapshots" / reference.read_text().strip() if reference.is_file() else None
    why = "it is a model's place in the hub's cache, not a model folder"
    if main in snapshots:
        raise unreadable(folder, f"{why}: give its snapshot {main} (refs/main).")
    if snapshots:
        raise unreadable(folder, f"{why}: give one of its snapshots, {' or '.join(map(str, snapshots[:_LISTED]))}.")
    raise unreadable(folder, f"{why}, and it holds no snapshot: download the model again.")


def _adapter(folder: Path) -> str:
    """A PEFT adapter by its kind and base."""
    try:
        config = json.loads((folder / ADAPTER_FILES[0]).read_text())
    except (OSError, ValueError):
        config = {}
    kind = f"{config['peft_type']} adapter" if config.get("peft_type") else "adapter"
    article = "an" if kind[0].lower() in "aeiou" else "a"
    return f"{article} {kind} of {config.get('base_model_name_or_path') or 'a base that it does not name'}"


def _refuse_pointers(files: Iterable[Path]) -> None:
    """Refuse files that git-lfs has not fetched: a few lines that say where the content lies."""
    for path in files:
        if path.is_file() and _start(path, len(_POINTER)) == _POINTER:
            raise unreadable(
                path.parent, f"{path.name} is a git-lfs pointer, not the file itself; fetch it with 'git lfs pull'."
            )


def _start(path: Path, size: int) -> bytes:
    with path.open("rb") as handle:
        return handle.read(size)


def _missing_weights(folder: Path) -> str:
    """What is missing where no weights are read, and what else might have been meant."""
    wanted = "model.safetensors (or pytorch_model.bin, or shards with their index) is missing"
    if list(folder.glob("model-*-of-*.safetensors")) or list(folder.glob("pytorch_model-*-of-*.bin")):
        return "the index of its shards (model.safetensors.index.json) is missing"
    if list(folder.glob("*.gguf")):
        return f"{wanted}, and GGUF is not read; give the checkpoint that it was made from"
    if list(folder.glob("consolidated*")) or (folder / "params.json").is_file():
        return f"{wanted}, and the original format is not read; give the checkpoint converted for transformers"
    return wanted


def _check_safetensors(path: Path) -> None:
    """Refuse a file that is shorter or longer than its header says: one that was cut, or that is something else."""
    size = path.stat().st_size
    header: Any = None
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if 0 < length <= size - 8:
            try:
                header = json.loads(handle.read(length))
            except ValueError:
                header = None
    if not isinstance(header, dict):
        raise unreadable(path.parent, f"{path.name} ({size} bytes) is no whole safetensors file; {CUT_SHORT}")
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    whole = 8 + length + max(ends, default=0)
    if size != whole:
        raise unreadable(path.parent, f"{path.name} has {size} of {whole} bytes: it was cut short; copy it again.")
