"""What was written is what was pruned: a saved folder is loaded as its user will load it, and compared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from sparsitysolver.errors import SparsitySolverError, is_out_of_memory
from sparsitysolver.models.loading import load_model

_TOKENS = 16
# Largest deviation of a logit, as a share of the largest logit: other shapes and products are summed in another order.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 1e-1}


@dataclass(frozen=True)
class Behaviour:
    """What whoever loads a model gets.

    Attributes:
        shapes: of its tensors, by name.
        logits: (tokens, vocabulary) float32 of a few tokens from all over the vocabulary.
        dtype: that the model computes in.
    """

    shapes: Mapping[str, tuple[int, ...]]
    logits: torch.Tensor
    dtype: torch.dtype

    @classmethod
    @torch.no_grad()
    def of(cls, model: PreTrainedModel) -> "Behaviour":
        """Observe a model in evaluation mode."""
        rows = model.get_input_embeddings().weight.shape[0]
        count = min(_TOKENS, model.config.max_position_embeddings)
        ids = torch.linspace(0, rows - 1, count, dtype=torch.float64).long()[None]
        logits = model(ids.to(model.get_input_embeddings().weight.device), use_cache=False).logits[0]
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        return cls(shapes, logits.float().cpu(), model.dtype)


def release(model: PreTrainedModel) -> None:
    """Give up a model's tensors, whoever still refers to it: it was saved, and its place is needed to load it back."""
    for tensor in chain(model.parameters(), model.buffers()):
        tensor.data = tensor.data.new_empty(0)


def check_saved(folder: Path, expected: Behaviour, device: str, padded: bool) -> None:
    """Load a folder back, on ``device`` and in the dtype it was pruned in, and compare; holds one model in memory.

    Args:
        folder: as written, under whatever name.
        expected: of the pruned model.
        device: as ``LoadedModel`` has it.
        padded: whether plain transformers are to load it, and its shapes are the stock ones.

    Raises:
        SparsitySolverError: tensors without a place, other names or shapes, or other logits.
    """
    try:
        dtype = str(expected.dtype).removeprefix("torch.")
        model = _plainly(folder, device, dtype) if padded else load_model(str(folder), device, dtype).model
        found = Behaviour.of(model)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _other(f"it cannot be loaded ({str(error).splitlines()[0][:300]})") from error
    if not padded:
        _check_shapes(found.shapes, expected.shapes)
    # files may be written in less precision than the model was pruned in
    written = getattr(torch, json.loads((folder / "config.json").read_text(encoding="utf-8"))["dtype"])
    _check_logits(found.logits, expected.logits, max(_TOLERANCE[expected.dtype], _TOLERANCE[written]))


def _plainly(folder: Path, device: str, dtype: str) -> PreTrainedModel:
    """What transformers give that know nothing of this package; they must find a place for every tensor."""
    model, report = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=getattr(torch, dtype),
        device_map="auto" if device == "cuda" and torch.cuda.device_count() > 1 else device,
        trust_remote_code=False,
        output_loading_info=True,
    )
    faults = [f"{kind.replace('_', ' ')}: {sorted(map(str, names))[0]}" for kind, names in report.items() if names]
    if faults:
        raise SparsitySolverError("; ".join(faults))
    return model.eval()


def _check_shapes(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> None:
    other = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if other:
        name = other[0]
        raise _other(
            f"{len(other)} tensors have another shape, {name} among them: {expected.get(name)} was pruned and "
            f"{found.get(name)} comes back"
        )


def _check_logits(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    finite = expected.isfinite()
    if found.shape != expected.shape or not torch.equal(found.isfinite(), finite):
        raise _other("its logits are of another shape, or finite elsewhere")
    if not finite.any():
        return
    allowed = tolerance * expected[finite].abs().max().item()
    missed = (found - expected)[finite].abs().max().item()
    if missed > allowed:
        raise _other(f"its logits miss the pruned model's by up to {missed:.3g}; rounding explains {allowed:.3g}")


def _other(how: str) -> SparsitySolverError:
    return SparsitySolverError(
        f"the pruned model was written and loaded back for comparison, and is another one: {how}. Nothing was kept. "
        "This is a fault of the program, not of yours: please report it with the command and the model's config.json."
    )
