"""Loading models, dense or pruned, with their tokenizers: whole, sound and in evaluation mode, or an error."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.models.adapter import Adapter, adapt, adapter_class
from sparsitysolver.models.inspection import check_folder, check_tokenizer, check_weights
from sparsitysolver.models.soundness import check_finite, check_known, check_whole, refuse_quantised
from sparsitysolver.models.source import ModelSource, fetch, model_identity, resolve_model, weights_identity
from sparsitysolver.models.structure import CONFIG_FIELD, Structure, apply_structure

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


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

    def seqlen(self, asked: int | None, default: int = 2048) -> int:
        """Window length: the one asked for, else ``default`` or the model's maximum if that is smaller."""
        if asked is None:
            return min(default, self.context)
        if not 2 <= asked <= self.context:
            raise SparsitySolverError(
                f"window length {asked} asked for; {self.source.name} takes 2 to {self.context} tokens."
            )
        return asked


def load_config(source: ModelSource) -> PretrainedConfig:
    """The config of a model; hub trouble, broken files and folders that are no model become clear errors."""
    if source.is_local:
        check_folder(Path(source.location))
    return fetch(AutoConfig, source)


def load_tokenizer(source: ModelSource) -> Any:
    """The model's own tokenizer."""
    if source.is_local:
        check_tokenizer(Path(source.location))
    return fetch(AutoTokenizer, source)


def load_model(name: str, device: str = "auto", dtype: str = "auto", assets: Assets | None = None) -> LoadedModel:
    """Load a dense or pruned model in evaluation mode.

    Args:
        name: hub id, local folder or key of ``config/models.tsv``.
        device: ``auto`` (GPUs if there are any, several through accelerate's device map), ``cpu``, ``cuda:1`` …
        dtype: ``auto`` (float32 on the CPU, the checkpoint's own on a GPU), ``float32``, ``float16`` or ``bfloat16``.
        assets: assets folder; default from ``SPARSITYSOLVER_ASSETS``.

    Raises:
        SparsitySolverError: no such model, a family or a kind of checkpoint that is not supported, files that are
            missing or broken, weights that do not fit the config or are not finite.
    """
    source = resolve_model(name, assets or Assets.from_environment())
    config = load_config(source)
    refuse_quantised(config, source.location)
    adapter_class(config).shape_of(config)  # refuse unsupported families before weights are read
    target = _device(device)
    precision = _dtype(dtype, target, config)
    tokenizer = load_tokenizer(source)
    device_map = "auto" if target == "cuda" and torch.cuda.device_count() > 1 else target
    model, report = _load_weights(_model_class(config), source, config, precision, device_map)
    adapter = adapt(model)
    check_known(report, adapter, source.location)
    check_finite(model, source.location, config.dtype)
    return LoadedModel(
        model=model,
        adapter=adapter,
        tokenizer=tokenizer,
        source=source,
        weights_sha256=weights_identity(source, config),
        model_sha256=model_identity(source, config),
        dtype=str(precision).removeprefix("torch."),
        device=target,
    )


def load_pruned(folder: str | Path, device: str = "auto", dtype: str = "auto") -> PreTrainedModel:
    """Load a folder written by ``sparsitysolver prune`` as a transformers model, shrunken shapes and all.

    It is in evaluation mode, as transformers load models, and may be fine-tuned: all parameters require gradients.
    """
    return load_model(str(folder), device=device, dtype=dtype).model.requires_grad_(True)


def load_chat_model(source: ModelSource, device: str, dtype: str) -> PreTrainedModel:
    """A causal language model of any family in evaluation mode: to talk to, not to prune. Options as of load_model."""
    config, target = load_config(source), _device(device)
    model, _ = _load_weights(AutoModelForCausalLM, source, config, _dtype(dtype, target, config), target)
    check_finite(model, source.location, config.dtype)
    return model


def _load_weights(
    loader: Any, source: ModelSource, config: PretrainedConfig, precision: torch.dtype, device_map: str
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A whole model in evaluation mode, and what transformers says of loading it."""
    if source.is_local:
        check_weights(Path(source.location))
    model, report = fetch(
        loader,
        source,
        config=config,
        dtype=precision,
        device_map=device_map,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused next, by name
    )
    check_whole(report, source.location)
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


def _model_class(config: PretrainedConfig) -> type:
    if getattr(config, CONFIG_FIELD, None) is None:
        return AutoModelForCausalLM
    return _pruned_class(MODEL_FOR_CAUSAL_LM_MAPPING[type(config)])


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
    if dtype not in DTYPES:
        raise unknown_name("dtype", dtype, [*DTYPES, "auto"])
    return DTYPES[dtype]
