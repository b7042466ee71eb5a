"""Why a model folder is none, told by its files before transformers reads them (no torch).

Every check raises a :class:`SparsitySolverError` that names the folder, what was found there and what to do; plans
make those that read no weights.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import CONFIG_FIELD, WEIGHTS, weight_files
from sparsitysolver.models.adapter import family_class, family_names

CUT_SHORT = "copy it again if it was cut short."
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_MERGE = "merge it into its base (PEFT: merge_and_unload(), then save_pretrained())"
_VOCABULARIES = ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "tekken.json")
_TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_NO_TOKENIZER = ("chat_template", "processor_config.json", "preprocessor_config.json")  # beginnings of file names
_COPY = "copy the tokenizer's files from the model that it belongs to"
_OWN_CODE = "auto_map"  # names the classes in a folder's Python files that are to take the stock ones' place
_POINTER = b"version https://git-lfs"
_ZIP = b"PK\x03\x04"
_LISTED = 6  # names that a message lists


def unreadable(folder: Path | str, why: str) -> SparsitySolverError:
    """The error that a folder is no model that can be read."""
    return SparsitySolverError(f"cannot read the model in {folder}: {why}")


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no model: without ``config.json``, an adapter, or the root of a model in a hub cache."""
    adapter = [name for name in _ADAPTER_FILES if (folder / name).is_file()]
    if not _there(folder, "config.json"):
        _refuse_hub_root(folder)
        if adapter:
            raise unreadable(folder, f"it holds {_adapter(folder)}, not a model: {_MERGE} and give that folder.")
        inner = sorted(path.parent for path in folder.glob("*/config.json"))  # such as checkpoints of a training run
        give = f"; give {' or '.join(map(str, inner[:3]))}" if inner else ""
        raise unreadable(folder, f"config.json is missing ({_found(_names(folder))}){give}.")
    if adapter:
        raise unreadable(
            folder,
            f"beside the model lies {_adapter(folder)}, which is not applied here: {_MERGE} and give that folder, or "
            f"remove {' and '.join(adapter)} to go on without it.",
        )
    _refuse_pointers([folder / "config.json", folder / "generation_config.json"])


def check_weights(folder: Path) -> None:
    """Refuse weights that :func:`check_weight_files` refuses, and files that are cut short."""
    for path in check_weight_files(folder):
        if path.suffix == ".safetensors":
            _check_safetensors(path)
        # torch writes zip archives, whose table of contents comes last
        elif path.suffix == ".bin" and _start(path, len(_ZIP)) == _ZIP and not zipfile.is_zipfile(path):
            raise unreadable(folder, f"{path.name} ({path.stat().st_size} bytes) is no whole archive; {CUT_SHORT}")


def check_weight_files(folder: Path) -> list[Path]:
    """The files of the weights; missing ones, shards that the index names and git-lfs pointers are refused."""
    for name in WEIGHTS:
        _there(folder, name)
    files = weight_files(folder)
    if not files:
        raise unreadable(folder, f"it has no weights: {missing_weights(_names(folder))} ({_found(_names(folder))}).")
    _refuse_pointers(files)
    for path in files:
        if not _there(path.parent, path.name):
            raise unreadable(folder, f"{files[0].name} names {path.name}, which is missing; copy it again.")
    return files


def check_names(names: Iterable[str], where: str) -> None:
    """Refuse a model of the hub by the names of its files: without weights, or without a tokenizer."""
    names = sorted(names)
    if not set(WEIGHTS) & set(names):
        raise unreadable(where, f"it has no weights: {missing_weights(names)} ({_found(names)}).")
    if not any(fnmatch(name, pattern) for name in names for pattern in _VOCABULARIES):
        raise unreadable(where, _no_tokenizer(names))


def check_tokenizer(folder: Path) -> None:
    """Refuse missing tokenizer files and git-lfs pointers in their place."""
    for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt"):
        _there(folder, name)
    vocabularies = [path for pattern in _VOCABULARIES for path in sorted(folder.glob(pattern))]
    names = [path.name for path in vocabularies]
    if not vocabularies:
        raise unreadable(folder, _no_tokenizer(_names(folder)))
    if names == ["vocab.json"] and not (folder / "merges.txt").is_file():
        raise unreadable(folder, f"merges.txt is missing beside vocab.json, and there is no tokenizer.json; {_COPY}.")
    read = vocabularies[:1] if names[0] == "tokenizer.json" else [*vocabularies, folder / "merges.txt"]
    _refuse_pointers([*read, *(folder / name for name in _TOKENIZER_SETTINGS)])


def _no_tokenizer(names: Sequence[str]) -> str:
    wanted = "tokenizer.json (or tokenizer.model, or vocab.json and merges.txt) is missing"
    others = [name for name in names if name.startswith(_NO_TOKENIZER)]
    none = f", and {' and '.join(others)} {'is' if len(others) == 1 else 'are'} none" if others else ""
    return f"it has no tokenizer: {wanted}{none} ({_found(names)}); {_COPY}."


def _there(folder: Path, name: str) -> bool:
    """Whether a folder has a file; a link that leads nowhere is an error."""
    path = folder / name
    if path.is_symlink() and not path.exists():
        raise unreadable(folder, f"{name} is a link to {path.readlink()}, which is not there: copy what it links to.")
    return path.is_file()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _found(names: Sequence[str]) -> str:
    listed = f"found: {', '.join(names[:_LISTED])}{' …' if len(names) > _LISTED else ''}"
    return listed if names else "the folder is empty"


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
        config = json.loads((folder / _ADAPTER_FILES[0]).read_text())
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


def missing_weights(names: Sequence[str]) -> str:
    """What is missing where no weights are read, and what else might have been meant."""
    wanted = "model.safetensors (or pytorch_model.bin, or shards with their index) is missing"
    if any(fnmatch(name, "model-*-of-*.safetensors") or fnmatch(name, "pytorch_model-*-of-*.bin") for name in names):
        return "the index of its shards (model.safetensors.index.json) is missing"
    if any(name.endswith(".gguf") for name in names):
        return f"{wanted}, and GGUF is not read; give the checkpoint that it was made from"
    if any(name.startswith("consolidated") for name in names) or "params.json" in names:
        return f"{wanted}, and the original format is not read; give the checkpoint converted for transformers"
    return wanted


def _check_safetensors(path: Path) -> None:
    """Refuse a file that is shorter or longer than its header says: one that was cut, or that is something else."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        try:
            header = json.loads(handle.read(length)) if 0 < length <= size - 8 else None
        except ValueError:
            header = None
    if not isinstance(header, dict):
        raise unreadable(path.parent, f"{path.name} ({size} bytes) is no whole safetensors file; {CUT_SHORT}")
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    whole = 8 + length + max(ends, default=0)
    if size != whole:
        raise unreadable(path.parent, f"{path.name} has {size} of {whole} bytes: it was cut short; copy it again.")


def refuse_own_code(content: Any, name: str, location: str) -> None:
    """Refuse a model whose file ``name`` asks for code of its own, which is never run.

    A pruned model that was written for the hub names some too, and needs none of it here.
    """
    classes = content.get(_OWN_CODE) if isinstance(content, Mapping) else None
    if classes and CONFIG_FIELD not in content:
        *titles, last = (family_class(family).title for family in family_names())
        raise SparsitySolverError(
            f"the model in {location} is defined by code of its own ({name}: {_OWN_CODE} names "
            f"{' '.join(json.dumps(classes).split())[:200]}), which is never run here: give a model of a stock "
            f"architecture ({', '.join(titles)} or {last}) without it."
        )


def refuse_quantised(config: Any, location: str) -> None:
    """Refuse a checkpoint whose config says that it is quantised; ``location`` is what messages call it."""
    found = getattr(config, "quantization_config", None) or getattr(config, "compression_config", None)
    if found:
        settings = found if isinstance(found, dict) else found.to_dict()
        method = settings.get("quant_method") or "an unnamed method"
        raise quantised(location, f"config.json: {getattr(method, 'value', method)}")


def quantised(location: str, sign: str) -> SparsitySolverError:
    """The error that a checkpoint is quantised; ``sign`` is what says so."""
    return SparsitySolverError(
        f"the checkpoint in {location} is quantised ({sign}), and such checkpoints are neither pruned nor measured "
        "here: give the one that it was made from, in float32, float16 or bfloat16."
    )
