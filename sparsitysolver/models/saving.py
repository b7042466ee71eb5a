"""Writing pruned models: as they are (smaller, read back by this package), for the hub, or padded to the stock shape.

What was written is what was pruned: a saved folder is loaded as its user will load it, and compared.
"""

import copy
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from itertools import chain, compress
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from sparsitysolver.errors import SparsitySolverError, is_out_of_memory
from sparsitysolver.model_files import configuration
from sparsitysolver.models.adapter import Adapter, adapt, adapter_class
from sparsitysolver.models.loading import device_map, load_model
from sparsitysolver.models.modelling_file import MODELLING_FILE, auto_map, modelling_file
from sparsitysolver.models.structure import CONFIG_FIELD, LowRankLinear, Structure
from sparsitysolver.records.files import atomic_folder, write_json

SLICED, PADDED, HUB = "sliced", "padded", "hub"  # forms that a pruned model is written in
SHARD_SIZE = "5GB"  # largest size of one safetensors file
_TOKENS = 16
_GENERATED = "sparsitysolver_generated"  # what the file of a folder is imported as
# Largest deviation of a logit, as a share of the largest logit: other shapes and products are summed in another order.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def save_pruned(
    model: PreTrainedModel,
    tokenizer: Any,
    structure: Structure | None,
    folder: str | Path,
    shard_size: str = SHARD_SIZE,
) -> None:
    """Write a model with its tokenizer so that ``load_model(folder)`` gives the same logits.

    The folder is written whole or not at all and replaces an older one; ``tokenizer`` None writes none, ``structure``
    None says that shapes did not change.
    """
    with atomic_folder(folder) as temporary:
        _write(model, tokenizer, structure, temporary, shard_size)


def _write(model: PreTrainedModel, tokenizer: Any, structure: Structure | None, folder: Path, shard_size: str) -> None:
    if structure is not None:
        setattr(model.config, CONFIG_FIELD, structure)
    state = adapt(model).fused(model.state_dict()) if structure is None else None
    model.save_pretrained(folder, state_dict=state, max_shard_size=shard_size)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)


def save_hub(
    model: PreTrainedModel,
    tokenizer: Any,
    structure: Structure | None,
    folder: str | Path,
    dtype: torch.dtype | None = None,
    card: str = "",
    shard_size: str = SHARD_SIZE,
) -> None:
    """Write a pruned model at its real size so that plain transformers load it with ``trust_remote_code=True``.

    A generated Python file beside the weights holds the architecture; ``card`` becomes README.md. Where shapes did not
    change, the stock architecture does without that file. The model's own weights are put into ``dtype``, where one is
    given: to compute on with them, have them rounded by :func:`round_to` and another folder written.
    """
    for tensor in model.parameters() if dtype is not None else ():
        tensor.data = tensor.data.to(dtype)
    with atomic_folder(folder) as temporary:
        if structure is not None:
            code = modelling_file(model, adapter_class(model.config))
            (temporary / f"{MODELLING_FILE}.py").write_text(code, encoding="utf-8")
            model.config.auto_map = auto_map(model)
        _write(model, tokenizer, structure, temporary, shard_size)
        if structure is not None:  # tools that read no auto_map must not take the stock class for it
            named = {"architectures": [name.rpartition(".")[2] for name in model.config.auto_map.values()]}
            write_json(temporary / "config.json", configuration(temporary) | named)
        if card:
            (temporary / "README.md").write_text(card, encoding="utf-8")


def round_to(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Round a model's weights to what ``dtype`` holds; they stay in the precision that the model computes in.

    A weight that is finite and beyond what ``dtype`` holds is an error.
    """
    for name, tensor in model.named_parameters():
        rounded = tensor.data.to(dtype).to(tensor.dtype)
        lost = int((tensor.isfinite() & ~rounded.isfinite()).sum())
        if lost:
            raise SparsitySolverError(
                f"{lost} pruned weights of {name} are beyond what {str(dtype).removeprefix('torch.')} holds, the "
                "checkpoint's own precision: write the model with --format sliced, which keeps the precision it was "
                'pruned in, or say "dtype": "float32" in the config.json of the dense model.'
            )
        tensor.data.copy_(rounded)


def save_padded(model: PreTrainedModel, tokenizer: Any, folder: str | Path, shard_size: str = SHARD_SIZE) -> None:
    """Write a pruned model in the stock architecture, which plain ``from_pretrained`` and other tools load.

    ``sliced`` models get zero rows and columns back (logits equal up to rounding, ≤ 1e-5 in float32), ``low_rank``
    factors are multiplied out (≤ 1e-4). The file is as big as the dense model's; nothing is gained but compatibility.
    Refused where the stock architecture has no place: for SliceGPT's shortcuts, and output biases in Mistral.
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
    stock, family = copy.deepcopy(config), adapter_class(config)
    if hasattr(stock, CONFIG_FIELD):
        delattr(stock, CONFIG_FIELD)
    added = [bool(bias) for bias in (structure or {}).get("output_biases") or (False, False)]
    if any(added) and family.bias_options is None:
        raise SparsitySolverError(
            "this pruned model has biases on its output projections (FLAP adds them), and the stock "
            f"{family.title} has no option for biases: it cannot be padded. Write it without padding."
        )
    for name in compress(family.bias_options or (), added):
        setattr(stock, name, True)
    return stock


def _padded_state(stock: Adapter, model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """State dict of the stock model: the pruned model's tensors, each layer's linears padded with zeros at the end."""
    names = {module: name for name, module in stock.model.named_modules()}
    pairs = zip(stock.prunable_linears(), adapt(model).prunable_linears(), strict=True)
    linears = [(names[target], target, source) for (_, target), (_, source) in pairs]
    inside = tuple(f"{name}." for name, _, _ in linears)
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(inside)}
    for name, target, source in linears:
        if isinstance(source, LowRankLinear):
            product = source.up.weight.double() @ source.down.weight.double()
            weight, bias = product.to(source.up.weight.dtype), source.up.bias
        else:
            weight, bias = source.weight.detach(), source.bias
        rows, columns = target.weight.shape
        state[f"{name}.weight"] = functional.pad(weight, (0, columns - weight.shape[1], 0, rows - weight.shape[0]))
        if target.bias is not None:
            bias = weight.new_zeros(weight.shape[0]) if bias is None else bias
            state[f"{name}.bias"] = functional.pad(bias, (0, rows - len(bias)))
        elif bias is not None:
            raise SparsitySolverError(
                f"{name} of this pruned model has a bias, and the stock architecture has no place for it: it "
                "cannot be padded. Write it without padding."
            )
    return state


@dataclass(frozen=True)
class Behaviour:
    """What whoever loads a model gets: shapes of its tensors, logits (tokens, vocabulary) float32, and its dtype."""

    shapes: Mapping[str, tuple[int, ...]]
    logits: torch.Tensor
    dtype: torch.dtype

    @classmethod
    @torch.no_grad()
    def of(cls, model: PreTrainedModel) -> "Behaviour":
        """Observe a model in evaluation mode, on a few tokens from all over the vocabulary."""
        table = model.get_input_embeddings().weight
        count = min(_TOKENS, model.config.max_position_embeddings)
        ids = torch.linspace(0, table.shape[0] - 1, count, dtype=torch.float64).long()[None]
        logits = model(ids.to(table.device), use_cache=False).logits[0]
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        return cls(shapes, logits.float().cpu(), model.dtype)


def release(model: PreTrainedModel) -> None:
    """Give up a model's tensors, whoever still refers to it: it was saved, and its place is needed to load it back."""
    for tensor in chain(model.parameters(), model.buffers()):
        tensor.data = tensor.data.new_empty(0)


def check_saved(folder: Path, expected: Behaviour, device: str, form: str = SLICED) -> None:
    """Load a folder back, on ``device`` and in the dtype it was pruned in, and compare; holds one model in memory.

    What is ``sliced`` is loaded as this package does it; what is ``padded`` by plain transformers, and its shapes are
    the stock ones; what is for the ``hub`` by the class in its own generated file. Tensors without a place, other names
    or shapes, and other logits are errors.
    """
    padded = form == PADDED
    try:
        if form == SLICED:
            model = load_model(str(folder), device, str(expected.dtype).removeprefix("torch.")).model
        else:
            model = _plainly(folder, device, expected.dtype)
        found = Behaviour.of(model)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _other(f"it cannot be loaded ({str(error).splitlines()[0][:300]})") from error
    names = found.shapes.keys() | expected.shapes.keys()
    other = sorted(name for name in names if found.shapes.get(name) != expected.shapes.get(name))
    if other and not padded:
        raise _other(
            f"{len(other)} tensors have another shape, {other[0]} among them: {expected.shapes.get(other[0])} was "
            f"pruned and {found.shapes.get(other[0])} comes back"
        )
    _check_logits(found.logits, expected.logits, _TOLERANCE[expected.dtype])


class _Uncached(SourceFileLoader):
    """Imports a file and leaves nothing beside it."""

    def set_data(self, *_: Any, **__: Any) -> None:
        """Write no compiled file."""


def _plainly(folder: Path, device: str, dtype: torch.dtype) -> PreTrainedModel:
    """What transformers give that know nothing of this package; they must find a place for every tensor.

    The one file of code that is run is the one generated a moment ago, from this folder itself.
    """
    loader, path = AutoModelForCausalLM, folder / f"{MODELLING_FILE}.py"
    if path.exists():
        spec = importlib.util.spec_from_loader(_GENERATED, _Uncached(_GENERATED, str(path)))
        module = sys.modules[_GENERATED] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        loader = getattr(module, configuration(folder)["auto_map"][loader.__name__].rpartition(".")[2])
    model, report = loader.from_pretrained(
        folder, dtype=dtype, device_map=device_map(device), trust_remote_code=False, output_loading_info=True
    )
    faults = [f"{kind.replace('_', ' ')}: {sorted(map(str, names))[0]}" for kind, names in report.items() if names]
    if faults:
        raise SparsitySolverError("; ".join(faults))
    return adapt(model).model.eval()  # with a linear each in place of fused matrices, as in what was pruned


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
