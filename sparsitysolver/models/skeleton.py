"""A dense model without its weights: sizes, identity, and the names by which its parts are known elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter, adapt, adapter_class
from sparsitysolver.models.loading import load_config
from sparsitysolver.models.source import ModelSource, resolve_model, weights_identity
from sparsitysolver.models.structure import CONFIG_FIELD


@dataclass(frozen=True)
class Skeleton:
    """An adapter around a model whose tensors have shapes and no values."""

    adapter: Adapter
    source: ModelSource
    weights_sha256: str

    def record(self) -> dict[str, Any]:
        """Which dense model a strategy is for."""
        return {
            "name": self.source.name,
            "family": self.adapter.shape.family,
            "weights_sha256": self.weights_sha256,
            "revision": self.source.revision,
        }


def load_skeleton(name: str, assets: Assets) -> Skeleton:
    """A model's skeleton by hub id, local folder or key; only its config is read, and local weights are hashed.

    Raises:
        SparsitySolverError: no such model, an unsupported family, or a pruned model.
    """
    source = resolve_model(name, assets)
    config = load_config(source)
    adapter_class(config).shape_of(config)
    if getattr(config, CONFIG_FIELD, None) is not None:
        raise SparsitySolverError(f"{name} is pruned already; strategies are for the dense model it came from.")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return Skeleton(adapt(model), source, weights_identity(source, config))


def module_names(adapter: Adapter) -> dict[str, str]:
    """Unit (``layers.3.query``, ``layers.3.mha``) or layer (``layers.3``) by the names of its module.

    These are its path in the hub's model (``model.layers.3.self_attn.q_proj``), the path within its layer
    (``layers.3.self_attn.q_proj``), and the module's own name without and with its ending (``layers.3.q_proj``,
    ``layers.3.q``).
    """
    paths = {module: path for path, module in adapter.model.named_modules()}
    names = {}
    for index, layer in enumerate(adapter.layers):
        root = paths[layer.module]
        names[root] = f"layers.{index}"
        for module, part in _parts(adapter, index):
            inside = paths[module].removeprefix(f"{root}.")
            leaf = inside.rpartition(".")[2]
            forms = (inside, leaf, leaf.removesuffix("_proj"))
            names |= dict.fromkeys([paths[module], *(f"layers.{index}.{form}" for form in forms)], part)
    return names


def _parts(adapter: Adapter, index: int) -> Iterator[tuple[torch.nn.Module, str]]:
    """Modules of one layer with their units; an FFN has a module of its own in some families only."""
    layer = adapter.layers[index]
    yield layer.attention, f"layers.{index}.mha"
    for module in layer.module.children():
        if layer.ffn_output in module.children():
            yield module, f"layers.{index}.ffn"
    for role, linear in zip(adapter.roles(), layer.linears, strict=True):
        yield linear, f"layers.{index}.{role}"
