"""Writing pruned models: as they are (smaller, read back by this package), or padded to the stock architecture."""

import copy
from itertools import compress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter, adapt, adapter_class
from sparsitysolver.models.modules import LowRankLinear
from sparsitysolver.models.structure import CONFIG_FIELD, Structure
from sparsitysolver.records.files import atomic_folder

SHARD_SIZE = "5GB"


def save_pruned(
    model: PreTrainedModel,
    tokenizer: Any,
    structure: Structure | None,
    folder: str | Path,
    shard_size: str = SHARD_SIZE,
) -> None:
    """Write a model with its tokenizer so that ``load_model(folder)`` gives the same logits.

    Args:
        model: the model as a pruner left it.
        tokenizer: its tokenizer; None writes none.
        structure: the pruner's ``Outcome.structure``; None where shapes did not change.
        folder: written whole or not at all; an older folder of that name is replaced.
        shard_size: largest size of one safetensors file.
    """
    if structure is not None:
        setattr(model.config, CONFIG_FIELD, structure)
    with atomic_folder(folder) as temporary:
        state = adapt(model).fused(model.state_dict()) if structure is None else None
        model.save_pretrained(temporary, state_dict=state, max_shard_size=shard_size)
        if tokenizer is not None:
            tokenizer.save_pretrained(temporary)


def save_padded(model: PreTrainedModel, tokenizer: Any, folder: str | Path, shard_size: str = SHARD_SIZE) -> None:
    """Write a pruned model in the stock architecture, which plain ``from_pretrained`` and other tools load.

    ``sliced`` models get zero rows and columns back (logits equal up to rounding, ≤ 1e-5 in float32), ``low_rank``
    factors are multiplied out (≤ 1e-4). The file is as big as the dense model's; nothing is gained but compatibility.

    Raises:
        SparsitySolverError: the stock architecture has no place for the model: SliceGPT's shortcuts, output biases in
            Mistral.
    """
    structure = getattr(model.config, CONFIG_FIELD, None)
    if structure is not None and structure["kind"] == "rotated":
        raise SparsitySolverError(
            "a model sliced by SliceGPT cannot be written in the stock architecture: the rotations on its shortcuts "
            "have no place there. Write it without padding."
        )
    config = _stock_config(model.config, structure)
    with torch.device("meta"):
        stock = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]._from_config(config, dtype=model.dtype)
    adapter = adapt(stock)
    state = _padded_state(adapter, model)
    state = adapter.fused(state) or state
    with atomic_folder(folder) as temporary:
        stock.save_pretrained(temporary, state_dict=state, max_shard_size=shard_size)
        model.generation_config.save_pretrained(temporary)
        if tokenizer is not None:
            tokenizer.save_pretrained(temporary)


def _stock_config(config: PretrainedConfig, structure: Structure | None) -> PretrainedConfig:
    """The dense config without the structure, with biases switched on where a structure added them."""
    stock = copy.deepcopy(config)
    if hasattr(stock, CONFIG_FIELD):
        delattr(stock, CONFIG_FIELD)
    added = [bool(bias) for bias in (structure or {}).get("output_biases") or (False, False)]
    options = adapter_class(config).bias_options
    if any(added) and options is None:
        raise SparsitySolverError(
            "this pruned model has biases on its output projections (FLAP adds them), and the stock "
            f"{adapter_class(config).title} has no option for biases: it cannot be padded. Write it without padding."
        )
    for name in compress(options or (), added):
        setattr(stock, name, True)
    return stock


def _padded_state(stock: Adapter, model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """State dict of the stock model: the pruned model's tensors, each layer's linears padded with zeros at the end."""
    pruned = adapt(model)
    names = {module: name for name, module in stock.model.named_modules()}
    linears = list(zip(stock.prunable_linears(), pruned.prunable_linears(), strict=True))
    inside = tuple(f"{names[target]}." for (_, target), _ in linears)
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(inside)}
    for (_, target), (_, source) in linears:
        weight, bias = _dense_linear(source)
        rows, columns = target.weight.shape
        pads = (0, columns - weight.shape[1], 0, rows - weight.shape[0])
        state[f"{names[target]}.weight"] = functional.pad(weight, pads)
        if target.bias is not None:
            bias = weight.new_zeros(weight.shape[0]) if bias is None else bias
            state[f"{names[target]}.bias"] = functional.pad(bias, (0, rows - len(bias)))
        elif bias is not None:
            raise SparsitySolverError(
                f"{names[target]} of this pruned model has a bias, and the stock architecture has no place for it: it "
                "cannot be padded. Write it without padding."
            )
    return state


def _dense_linear(linear: nn.Module) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weight (out, in) and bias (out,) of a linear or of a product of two."""
    if isinstance(linear, LowRankLinear):
        product = linear.up.weight.double() @ linear.down.weight.double()
        return product.to(linear.up.weight.dtype), linear.up.bias
    return linear.weight.detach(), linear.bias
