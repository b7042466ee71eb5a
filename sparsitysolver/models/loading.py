"""Finding and loading models, dense or pruned, with their tokenizers: whole, sound, in evaluation mode, or an error."""

import functools
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import cached_file

from sparsitysolver import model_files
from sparsitysolver.config.assets import BUNDLED, Assets, named_asset_model
from sparsitysolver.config.bos import BOS_RULES, EVERY
from sparsitysolver.config.registry import models_table
from sparsitysolver.data.windows import bos_token
from sparsitysolver.errors import SparsitySolverError, is_out_of_memory, known, unknown_name
from sparsitysolver.models import inspection
from sparsitysolver.models.adapter import adapt, adapter_class, family_class, family_names
from sparsitysolver.models.loaded import LoadedModel, ModelSource
from sparsitysolver.models.structure import CONFIG_FIELD, apply_structure

DTYPES = ("float32", "float16", "bfloat16")
# What readers of JSON, safetensors and pickles raise for half a file; some say so in their text only.
_HALF_READ = (json.JSONDecodeError, SafetensorError, EOFError, pickle.UnpicklingError)
_HALF_READ_MARKS = ("not a valid json file", "pytorchstreamreader")
_OWN_CODE = "auto_map"  # names the classes in a folder's Python files that are to take the stock ones' place
_MAY_NAME_CODE = ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json")


def resolve_model(name: str, assets: Assets) -> ModelSource:
    """Find a model by local folder, key of ``config/models.tsv``, hub id, or name in the assets folder, or an error."""
    in_assets = named_asset_model(name)
    if in_assets is not None:
        return _asset_model(in_assets, assets)
    if Path(name).is_dir():
        return ModelSource(Path(os.path.abspath(name)).name, name)  # noqa: PTH100 - as given: a link keeps its own name
    table = models_table()
    row = table.get(name) or next((row for row in table.values() if row.hub_id == name), None)
    if row is not None:
        if (BUNDLED / row.key).is_dir():
            return ModelSource(row.key, str(BUNDLED / row.key))
        return _asset_model(row.key, assets) if assets.folder else ModelSource(row.key, row.hub_id, row.revision)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return ModelSource(name, name, revision="main")
    if "/" in name:
        raise SparsitySolverError(f"no model folder at {name}.")
    held = [path.parent.name for path in (assets.folder or Path("-")).glob("models/*/config.json")]
    if name not in held:
        raise unknown_name("model", name, {*table, *held})
    return _asset_model(name, assets)


def _asset_model(name: str, assets: Assets) -> ModelSource:
    """A model of the assets folder, under the name that its folder has there, a link or not."""
    if assets.folder is None:
        raise SparsitySolverError(
            f"model '{name}' of the assets folder asked for, and there is none: give one with --assets DIR or "
            "SPARSITYSOLVER_ASSETS."
        )
    return ModelSource(name, str(assets.existing(f"models/{name}", f"model {name}")))


def weights_identity(source: ModelSource, config: PretrainedConfig | None = None) -> str:
    """SHA-256 that names the weights: of a folder's weight files, of a hub model's id and commit."""
    if source.is_local:
        return model_files.weights_sha256(Path(source.location))
    commit = getattr(config, "_commit_hash", None) or source.revision
    return hashlib.sha256(f"{source.location}@{commit}".encode()).hexdigest()


def load_config(source: ModelSource) -> PretrainedConfig:
    """The config of a model; hub trouble, broken files and folders that are no model become clear errors."""
    if source.is_local:
        inspection.check_folder(Path(source.location))
    return _fetch(AutoConfig, source)


def load_tokenizer(source: ModelSource) -> Any:
    """The model's own tokenizer."""
    if source.is_local:
        inspection.check_tokenizer(Path(source.location))
    return _fetch(AutoTokenizer, source)


def load_model(
    name: str, device: str = "auto", dtype: str = "auto", assets: Assets | None = None, bos: str | None = None
) -> LoadedModel:
    """Load a dense or pruned model in evaluation mode; whatever is wrong with it is a :class:`SparsitySolverError`.

    Args:
        name: hub id, local folder or key of ``config/models.tsv``.
        device: ``auto`` (GPUs if there are any, several through accelerate's device map), ``cpu``, ``cuda:1`` …
        dtype: ``auto`` (float32 on the CPU, the checkpoint's own on a GPU), ``float32``, ``float16`` or ``bfloat16``.
        assets: assets folder; default from ``SPARSITYSOLVER_ASSETS``.
        bos: which BOS its windows have, a rule of ``config/bos.py``; the family's by default.
    """
    source = resolve_model(name, assets or Assets.from_environment())
    config = load_config(source)
    inspection.refuse_quantised(config, source.location)
    family = adapter_class(config)
    family.shape_of(config)  # refuse unsupported families before weights are read
    target = _device(device)
    precision = _dtype(dtype, target, config)
    tokenizer = load_tokenizer(source)
    rule = known("rule of --bos", bos or family.bos, BOS_RULES)
    if rule == EVERY:
        bos_token(tokenizer)  # refuse one that has none
    loader = AutoModelForCausalLM
    if getattr(config, CONFIG_FIELD, None) is not None:
        loader = _pruned_class(MODEL_FOR_CAUSAL_LM_MAPPING[type(config)])
    model, report = _load_weights(loader, source, config, precision, device_map(target))
    adapter = adapt(model)
    inspection.check_known(report, adapter, source.location)
    inspection.check_finite(model, source.location, config.dtype)
    weights = weights_identity(source, config)
    return LoadedModel(
        model=model,
        adapter=adapter,
        tokenizer=tokenizer,
        source=source,
        weights_sha256=weights,
        model_sha256=model_files.model_sha256(Path(source.location)) if source.is_local else weights,
        dtype=str(precision).removeprefix("torch."),
        device=target,
        bos=rule,
    )


def load_pruned(folder: str | Path, device: str = "auto", dtype: str = "auto") -> PreTrainedModel:
    """A folder of ``sparsitysolver prune`` as a transformers model, in evaluation mode and ready for fine-tuning."""
    return load_model(str(folder), device=device, dtype=dtype).model.requires_grad_(True)


def load_chat_model(source: ModelSource, device: str, dtype: str) -> PreTrainedModel:
    """A causal language model of any family in evaluation mode: to talk to, not to prune. Options as of load_model."""
    config, target = load_config(source), _device(device)
    model, _ = _load_weights(AutoModelForCausalLM, source, config, _dtype(dtype, target, config), target)
    inspection.check_finite(model, source.location, config.dtype)
    return model


def device_map(device: str) -> str:
    """Where transformers are to put a model for ``device``: over all GPUs, where that may be any of several."""
    return "auto" if device == "cuda" and torch.cuda.device_count() > 1 else device


def _load_weights(
    loader: Any, source: ModelSource, config: PretrainedConfig, precision: torch.dtype, where: str
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A whole model in evaluation mode, and what transformers says of loading it."""
    if source.is_local:
        inspection.check_weights(Path(source.location))
    options = {"config": config, "dtype": precision, "device_map": where, "output_loading_info": True}
    # Mismatched sizes are refused next, by name.
    model, report = _fetch(loader, source, ignore_mismatched_sizes=True, **options)
    inspection.check_whole(report, source.location)
    return model.eval().requires_grad_(False), report


@functools.cache
def _pruned_class(dense: type[PreTrainedModel]) -> type[PreTrainedModel]:
    """A subclass that takes the shapes of the config's structure before weights are loaded into it.

    It has the dense class's name, which saving writes into ``config.json``: a model saved twice gives equal folders.
    """

    def __init__(self: PreTrainedModel, config: PretrainedConfig) -> None:
        dense.__init__(self, config)
        apply_structure(adapt(self), getattr(config, CONFIG_FIELD))
        self.tie_weights()

    return type(dense.__name__, (dense,), {"__init__": __init__, "__module__": dense.__module__})


def _device(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise SparsitySolverError(f"device '{device}' asked for; auto, cpu, cuda or cuda:N is needed.")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SparsitySolverError(
            f"device '{device}' asked for, but this machine has no usable GPU; use cpu or auto (of a grid: --config "
            "device=cpu)."
        )
    return device


def _dtype(dtype: str, device: str, config: PretrainedConfig) -> torch.dtype:
    if dtype == "auto":
        return torch.float32 if device == "cpu" else (config.dtype or torch.float16)
    return getattr(torch, known("dtype", dtype, (*DTYPES, "auto")))


def _fetch(loader: Any, source: ModelSource, **options: Any) -> Any:
    """``loader.from_pretrained`` with failures turned into errors that say what was wanted and what to do."""
    try:
        _refuse_own_code(source)
        return loader.from_pretrained(
            source.location, revision=source.revision or "main", trust_remote_code=False, **options
        )
    except SparsitySolverError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise SparsitySolverError(_not_to_be_had(source, error)) from error


def _refuse_own_code(source: ModelSource) -> None:
    """Refuse a model of code of its own, which is never run, also where a stock class could read its weights."""
    for name in _MAY_NAME_CODE:
        try:
            path = cached_file(source.location, name, revision=source.revision or "main")
            content = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
        except (OSError, ValueError):  # not there or broken: whoever needs the file says so
            continue
        classes = content.get(_OWN_CODE) if isinstance(content, dict) else None
        if (
            classes and CONFIG_FIELD not in content
        ):  # of a pruned model written for the hub, which needs none of it here
            *titles, last = (family_class(family).title for family in family_names())
            raise SparsitySolverError(
                f"the model in {source.location} is defined by code of its own ({name}: {_OWN_CODE} names "
                f"{' '.join(json.dumps(classes).split())[:200]}), which is never run here: give a model of a stock "
                f"architecture ({', '.join(titles)} or {last}) without it."
            )


def _not_to_be_had(source: ModelSource, error: Exception) -> str:
    """Why a model cannot be had, and what to do about this kind of failure."""
    why = str(error).strip().split("\n")[0][:300] or type(error).__name__
    why = why if why.endswith(".") else f"{why}."
    if isinstance(error, ImportError):
        return (
            f"cannot load the model in {source.location}: {why} Install that package, or give a folder "
            'that does without: "attn_implementation" in config.json asks for one, tokenizer.model alone for another.'
        )
    if source.is_local:
        half = isinstance(error, _HALF_READ) or any(mark in str(error).lower() for mark in _HALF_READ_MARKS)
        return str(
            inspection.unreadable(
                source.location, f"{why} A file is not whole; {inspection.CUT_SHORT}" if half else why
            )
        )
    offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
    return (
        f"cannot get model {source.location} (revision {source.revision}) from the hub or its cache{offline}: "
        f"{why} Without network give a local folder, or an assets folder with models/<key>/ by "
        "--assets DIR or SPARSITYSOLVER_ASSETS (fill one with: sparsitysolver assets download)."
    )
