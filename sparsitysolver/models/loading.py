"""Finding and loading models, dense or pruned, with their tokenizers: whole, sound, in evaluation mode, or an error."""

import functools
import hashlib
import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import cached_file

from sparsitysolver import hub_models, model_files
from sparsitysolver.config.assets import Assets
from sparsitysolver.config.bos import BOS_RULES, EVERY
from sparsitysolver.data.windows import bos_token
from sparsitysolver.errors import SparsitySolverError, is_out_of_memory, known
from sparsitysolver.models import checkpoint_files, inspection
from sparsitysolver.models.adapter import Adapter, adapt, adapter_class
from sparsitysolver.models.source import ModelSource, resolve_model
from sparsitysolver.models.structure import CONFIG_FIELD, Structure, apply_structure

DTYPES = ("float32", "float16", "bfloat16")
# What readers of JSON, safetensors and pickles raise for half a file; some say so in their text only.
_HALF_READ = (json.JSONDecodeError, SafetensorError, EOFError, pickle.UnpicklingError)
_HALF_READ_MARKS = ("not a valid json file", "pytorchstreamreader")
_MAY_NAME_CODE = ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json")


@dataclass
class LoadedModel:
    """A model ready to evaluate or prune, with what identifies it."""

    model: PreTrainedModel
    adapter: Adapter
    tokenizer: Any
    source: ModelSource
    weights_sha256: str
    model_sha256: str  # of weights and configuration: what everything computed from the dense model rests on
    dtype: str
    device: str
    bos: str = ""  # which BOS its windows and requests have, a rule of config/bos.py; the family's by default
    stored: str = ""  # the precision of the checkpoint, which may be another than ``dtype``; the same by default

    def __post_init__(self) -> None:
        self.bos, self.stored = self.bos or self.adapter.bos, self.stored or self.dtype

    @property
    def structure(self) -> Structure | None:
        """The structure of a pruned model, None for a dense one."""
        return getattr(self.model.config, CONFIG_FIELD, None)

    @property
    def vocabulary(self) -> int:
        """Number of token ids that the model has an embedding for."""
        return self.adapter.embeddings[0].weight.shape[0]

    @property
    def context(self) -> int:
        """The longest window, in tokens, that the model takes."""
        return self.model.config.max_position_embeddings

    @property
    def lead(self) -> int:
        """Tokens before every window that are read and not scored."""
        return int(self.bos == EVERY)

    def seqlen(self, asked: int | None, default: int = 2048) -> int:
        """Window length: the one asked for, else ``default`` or what the model takes beside a BOS, if that is less."""
        most = self.context - self.lead
        if asked is None:
            return min(default, most)
        if not 2 <= asked <= most:
            beside = " and a BOS before them" if self.lead else ""
            raise SparsitySolverError(
                f"window length {asked} asked for; {self.source.name} takes 2 to {most} tokens{beside}."
            )
        return asked


def weights_identity(source: ModelSource, config: PretrainedConfig | None = None) -> str:
    """SHA-256 that names the weights: of a folder's weight files, of a hub model's id and commit."""
    if source.is_local:
        return model_files.weights_sha256(Path(source.location))
    commit = getattr(config, "_commit_hash", None) or source.revision
    return hashlib.sha256(f"{source.location}@{commit}".encode()).hexdigest()


def load_config(source: ModelSource) -> PretrainedConfig:
    """The config of a model; hub trouble, broken files and folders that are no model become clear errors."""
    if source.is_local:
        checkpoint_files.check_folder(Path(source.location))
    return _fetch(AutoConfig, source)


def load_tokenizer(source: ModelSource) -> Any:
    """The model's own tokenizer."""
    if source.is_local:
        checkpoint_files.check_tokenizer(Path(source.location))
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
    source = replace(source, revision=getattr(config, "_commit_hash", None) or source.revision)
    checkpoint_files.refuse_quantised(config, source.location)
    family = adapter_class(config)
    family.shape_of(config)  # refuse unsupported families before weights are read
    target = _device(device)
    precision, stored = _dtype(dtype, target, config), str(config.dtype or "").removeprefix("torch.")
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
        stored=stored,
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
        checkpoint_files.check_weights(Path(source.location))
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
        checkpoint_files.refuse_own_code(content, name, source.location)


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
            checkpoint_files.unreadable(
                source.location, f"{why} A file is not whole; {checkpoint_files.CUT_SHORT}" if half else why
            )
        )
    return hub_models.why_not(hub_models.HubModel(source.location, source.revision or hub_models.MAIN), error)
