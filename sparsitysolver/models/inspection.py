"""Why a model folder is none: told by its files before transformers reads them, and by the weights once loaded.

Every check raises a :class:`SparsitySolverError` that names the folder, what was found there and what to do.
"""

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import WEIGHTS, weight_files
from sparsitysolver.models.adapter import Adapter

CUT_SHORT = "copy it again if it was cut short."
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_MERGE = "merge it into its base (PEFT: merge_and_unload(), then save_pretrained())"
_VOCABULARIES = ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "tekken.json")
_TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_POINTER = b"version https://git-lfs"
_ZIP = b"PK\x03\x04"
_LISTED = 6  # names that a message lists
# Last parts of tensor names by which GPTQ, AWQ, bitsandbytes, compressed-tensors and FP8 keep a matrix.
_QUANTISED = re.compile(
    r"\.(qweight|qzeros|g_idx|scales|weight_scale(_inv)?|weight_packed|weight_zero_point|input_scale|SCB|absmax|"
    r"quant_map|quant_state\..*|weight\.(absmax|quant_map|quant_state\..*|nested_absmax))$"
)


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
        raise unreadable(folder, f"config.json is missing ({_found(folder)}){give}.")
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


def _there(folder: Path, name: str) -> bool:
    """Whether a folder has a file; a link that leads nowhere is an error."""
    path = folder / name
    if path.is_symlink() and not path.exists():
        raise unreadable(folder, f"{name} is a link to {path.readlink()}, which is not there: copy what it links to.")
    return path.is_file()


def _found(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
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


def refuse_quantised(config: PretrainedConfig, location: str) -> None:
    """Refuse a checkpoint whose config says that it is quantised; ``location`` is what messages call it."""
    found = getattr(config, "quantization_config", None) or getattr(config, "compression_config", None)
    if found:
        settings = found if isinstance(found, dict) else found.to_dict()
        method = settings.get("quant_method") or "an unnamed method"
        raise _quantised(location, f"config.json: {getattr(method, 'value', method)}")


def _quantised(location: str, sign: str) -> SparsitySolverError:
    return SparsitySolverError(
        f"the checkpoint in {location} is quantised ({sign}), and such checkpoints are neither pruned nor measured "
        "here: give the one that it was made from, in float32, float16 or bfloat16."
    )


def check_whole(report: dict[str, Any], location: str) -> None:
    """Refuse a checkpoint that lacks tensors, or has them in another shape: transformers fills in random numbers.

    ``report`` is the loading information of ``from_pretrained``.
    """
    missing, unknown = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    quantised = [name for name in unknown if _QUANTISED.search(name)]
    if quantised:
        raise _quantised(location, f"tensor {quantised[0]}")
    if report["mismatched_keys"]:
        name, found, expected = min(report["mismatched_keys"], key=lambda entry: entry[0])
        raise SparsitySolverError(
            f"the weights in {location} do not fit its config.json: {_tensors(report['mismatched_keys'])} of another "
            f"shape, {name} with {tuple(found)} in place of {tuple(expected)} among them. Give the config.json that "
            "belongs to them."
        )
    if missing:
        others = f" ({len(unknown)} others have no place, {unknown[0]} among them)" if unknown else ""
        raise SparsitySolverError(
            f"the weights in {location} are not whole: {_tensors(missing)} missing, {missing[0]} among them{others}; "
            "copy or export the model again."
        )


def check_known(report: dict[str, Any], adapter: Adapter, location: str) -> None:
    """Refuse tensors that the architecture of ``config.json`` has no place for: left out, they change every number."""
    idle = [re.compile(pattern) for pattern in adapter.idle]
    unknown = sorted(name for name in report["unexpected_keys"] if not any(one.search(name) for one in idle))
    if unknown:
        many = "tensor" if len(unknown) == 1 else "tensors"
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        settings = [word for pattern, word in adapter.announced_by if any(re.search(pattern, name) for name in unknown)]
        if any(int(number) >= adapter.shape.layers for number in re.findall(r"layers\.(\d+)\.", " ".join(unknown))):
            settings = [f'"num_hidden_layers" (now {adapter.shape.layers})']
        told = "No setting of this architecture announces them: give the config.json that belongs to them."
        if settings:
            told = f"What announces them is {' and '.join(settings)}: correct config.json, or export the model again."
        raise SparsitySolverError(
            f"the weights in {location} hold {len(unknown)} {many} that the {adapter.config.model_type} of its "
            f"config.json has no place for: {', '.join(unknown[:3])}{more}. {told}"
        )
    head, table = adapter.lm_head.weight, adapter.embeddings[0].weight
    if adapter.config.tie_word_embeddings and head is not table and not torch.equal(head.to(table.device), table):
        raise SparsitySolverError(
            f"the weights in {location} hold an output head other than the token embedding, and config.json ties the "
            'two. Set "tie_word_embeddings": false there, or remove the head from the weights.'
        )


def check_finite(model: PreTrainedModel, location: str, stored: torch.dtype | None) -> None:
    """Refuse weights that are NaN or infinite, by name; ``stored`` is the checkpoint's precision where it is known."""
    bad = [name for name, tensor in model.named_parameters() if not _is_finite(tensor)]
    if not bad:
        return
    tensor = model.get_parameter(bad[0])
    nan, infinite = int(tensor.isnan().sum()), int(tensor.isinf().sum())
    others = f", and so do {len(bad) - 1} other tensors" if len(bad) > 1 else ""
    if not nan and tensor.dtype == torch.float16 and stored != torch.float16:
        raise SparsitySolverError(
            f"{infinite} weights of {bad[0]} in {location} are beyond what float16 holds{others}: give --dtype "
            "bfloat16 or float32."
        )
    raise SparsitySolverError(
        f"the checkpoint in {location} is broken: tensor {bad[0]} holds {nan} NaN and {infinite} infinite "
        f"values{others}. Copy or export it again, or take another checkpoint."
    )


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether all values are finite: the extremes say so, and need no second tensor of the size of the first."""
    if tensor.numel() == 0 or tensor.is_meta or not tensor.is_floating_point():
        return True
    return bool(torch.stack(tensor.detach().aminmax()).isfinite().all())


def _tensors(names: Any) -> str:
    return "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"
