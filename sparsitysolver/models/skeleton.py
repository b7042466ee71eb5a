"""A dense model without its weights: sizes, identity, and the names by which its parts are known elsewhere."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter, adapt, adapter_class
from sparsitysolver.models.loading import load_config, weights_identity
from sparsitysolver.models.source import resolve_model
from sparsitysolver.models.structure import CONFIG_FIELD


@dataclass(frozen=True)
class Skeleton:
    """An adapter around a model whose tensors have shapes and no values; ``record`` says which dense model it is."""

    adapter: Adapter
    record: dict[str, Any]


def load_skeleton(name: str, assets: Assets) -> Skeleton:
    """A dense model's skeleton by hub id, folder or key; only its config is read, and local weights are hashed."""
    source = resolve_model(name, assets)
    config = load_config(source)
    family = adapter_class(config)
    family.shape_of(config)
    if getattr(config, CONFIG_FIELD, None) is not None:
        raise SparsitySolverError(f"{name} is pruned already; strategies are for the dense model it came from.")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    sha256 = weights_identity(source, config)
    record = {"name": source.name, "family": family.family, "weights_sha256": sha256, "revision": source.revision}
    return Skeleton(adapt(model), record)


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
        # an FFN has a module of its own in some families only
        ffns = [module for module in layer.module.children() if layer.ffn_output in module.children()]
        parts = [("mha", layer.attention), *(("ffn", module) for module in ffns), *layer.linears.items()]
        for part, module in parts:
            inside = paths[module].removeprefix(f"{root}.")
            leaf = inside.rpartition(".")[2]
            forms = (inside, leaf, leaf.removesuffix("_proj"))
            names |= dict.fromkeys(
                [paths[module], *(f"layers.{index}.{form}" for form in forms)], f"layers.{index}.{part}"
            )
    return names
