"""What a model must be once it is loaded: every tensor there, of its shape, known to the architecture, and finite."""

import re
from collections.abc import Iterable
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter

# Last parts of tensor names by which GPTQ, AWQ, bitsandbytes, compressed-tensors and FP8 keep a matrix.
_QUANTISED = re.compile(
    r"\.(qweight|qzeros|g_idx|scales|weight_scale(_inv)?|weight_packed|weight_zero_point|input_scale|SCB|absmax|"
    r"quant_map|quant_state\..*|weight\.(absmax|quant_map|quant_state\..*|nested_absmax))$"
)


def refuse_quantised(config: PretrainedConfig, location: str) -> None:
    """Refuse a checkpoint whose config says that it is quantised."""
    found = getattr(config, "quantization_config", None) or getattr(config, "compression_config", None)
    if found:
        settings = found if isinstance(found, dict) else found.to_dict()
        method = settings.get("quant_method") or "an unnamed method"
        raise _quantised(location, f"config.json: {getattr(method, 'value', method)}")


def check_whole(report: dict[str, Any], location: str) -> None:
    """Refuse a checkpoint that lacks tensors, or has them in another shape: transformers fills in random numbers.

    Args:
        report: the loading information of ``from_pretrained``.
        location: what the message calls the checkpoint.
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
    unknown = sorted(name for name in report["unexpected_keys"] if not _any(adapter.idle, name))
    if unknown:
        family, many = adapter.config.model_type, "tensor" if len(unknown) == 1 else "tensors"
        raise SparsitySolverError(
            f"the weights in {location} hold {len(unknown)} {many} that the {family} of its config.json has no place "
            f"for: {_listed(unknown)}. {_announcement(adapter, unknown)}"
        )
    head, table = adapter.lm_head.weight, adapter.embeddings[0].weight
    if adapter.config.tie_word_embeddings and head is not table and not torch.equal(head.to(table.device), table):
        raise SparsitySolverError(
            f"the weights in {location} hold an output head other than the token embedding, and config.json ties the "
            'two. Set "tie_word_embeddings": false there, or remove the head from the weights.'
        )


def check_finite(model: PreTrainedModel, location: str, stored: torch.dtype | None) -> None:
    """Refuse weights that are NaN or infinite, by name; one pass over them.

    Args:
        model: the loaded model.
        location: what the message calls the checkpoint.
        stored: the precision of the checkpoint, None where it is not known.
    """
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


def _announcement(adapter: Adapter, unknown: Iterable[str]) -> str:
    """What in config.json would give tensors a place."""
    layers = adapter.shape.layers
    settings = [s for pattern, s in adapter.announced_by if any(re.search(pattern, name) for name in unknown)]
    if any(int(match[1]) >= layers for match in (re.search(r"layers\.(\d+)\.", name) for name in unknown) if match):
        settings = [f'"num_hidden_layers" (now {layers})']
    if settings:
        return f"What announces them is {' and '.join(settings)}: correct config.json, or export the model again."
    return "No setting of this architecture announces them: give the config.json that belongs to them."


def _quantised(location: str, sign: str) -> SparsitySolverError:
    return SparsitySolverError(
        f"the checkpoint in {location} is quantised ({sign}), and such checkpoints are neither pruned nor measured "
        "here: give the one that it was made from, in float32, float16 or bfloat16."
    )


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _tensors(names: Any) -> str:
    return "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
