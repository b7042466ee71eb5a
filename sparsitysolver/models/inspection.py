"""Why a checkpoint is none, told by the weights once loaded: every check raises a :class:`SparsitySolverError`."""

import re
from typing import Any

import torch
from transformers import PreTrainedModel

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.checkpoint_files import quantised

# Last parts of tensor names by which GPTQ, AWQ, bitsandbytes, compressed-tensors and FP8 keep a matrix.
_QUANTISED = re.compile(
    r"\.(qweight|qzeros|g_idx|scales|weight_scale(_inv)?|weight_packed|weight_zero_point|input_scale|SCB|absmax|"
    r"quant_map|quant_state\..*|weight\.(absmax|quant_map|quant_state\..*|nested_absmax))$"
)


def check_whole(report: dict[str, Any], location: str) -> None:
    """Refuse a checkpoint that lacks tensors, or has them in another shape: transformers fills in random numbers.

    ``report`` is the loading information of ``from_pretrained``.
    """
    missing, unknown = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    signs = [name for name in unknown if _QUANTISED.search(name)]
    if signs:
        raise quantised(location, f"tensor {signs[0]}")
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
