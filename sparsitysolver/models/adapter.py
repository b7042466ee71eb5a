"""What pruning needs to know of a decoder-only transformer, one small adapter per family."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.models.shape import Shape


@dataclass(frozen=True)
class Layer:
    """The parts of one decoder layer; every weight is (out_features, in_features)."""

    module: nn.Module
    attention: nn.Module
    attention_norm: nn.Module
    query: nn.Module
    key: nn.Module
    value: nn.Module
    attention_output: nn.Module
    ffn_norm: nn.Module
    ffn_inputs: tuple[nn.Module, ...]
    ffn_output: nn.Module

    @property
    def attention_inputs(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        """The linears that read the normalised residual stream: query, key, value."""
        return (self.query, self.key, self.value)

    @property
    def linears(self) -> tuple[nn.Module, ...]:
        """The prunable linears in forward order."""
        return (*self.attention_inputs, self.attention_output, *self.ffn_inputs, self.ffn_output)


class Adapter(ABC):
    """A family's module paths, around one model instance.

    Subclasses give ``family``, ``model_types`` and the abstract members; see ``opt.py`` for the shortest example.
    """

    family: str
    model_types: tuple[str, ...]
    subtracts_mean = False  # LayerNorm families: SliceGPT folds the mean subtraction into the weights
    # Options of the stock config that give the attention's and the FFN's linears biases; none: it has no such option.
    bias_options: tuple[str, str] | None = None
    # Names (regular expressions) of tensors that some checkpoints hold and the model rightly does without.
    idle: tuple[str, ...] = ()
    # (regular expression of tensor names, what in config.json gives them a place), for tensors that may have none.
    announced_by: tuple[tuple[str, str], ...] = ()

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.config = model.config
        self.shape = self.shape_of(model.config)

    @classmethod
    @abstractmethod
    def shape_of(cls, config: PretrainedConfig) -> Shape:
        """Dense sizes from a config; raises for variants of the family that are not supported."""

    @property
    @abstractmethod
    def decoder(self) -> nn.Module:
        """The module that maps token ids to the normalised last hidden state."""

    @property
    @abstractmethod
    def embeddings(self) -> tuple[nn.Embedding, ...]:
        """Tables whose sum is the first residual stream."""

    @property
    @abstractmethod
    def final_norm_name(self) -> str:
        """Attribute of ``decoder`` that holds the last norm."""

    @abstractmethod
    def layer(self, module: nn.Module) -> Layer:
        """The parts of one decoder-layer module."""

    @abstractmethod
    def ffn(self, module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        """The FFN of one decoder-layer module applied to its normalised input (..., hidden)."""

    @abstractmethod
    def set_linear(self, module: nn.Module, role: str, linear: nn.Module) -> None:
        """Replace a linear of a decoder-layer module; ``role`` is a key of :meth:`roles`."""

    @abstractmethod
    def set_norms(self, module: nn.Module, attention_norm: nn.Module, ffn_norm: nn.Module) -> None:
        """Replace both norms of a decoder-layer module."""

    def set_attention(self, module: nn.Module, attention: nn.Module) -> None:
        """Replace the attention of a decoder-layer module."""
        module.self_attn = attention

    def group_count_changed(self, attention: nn.Module, groups: int) -> None:  # noqa: B027 - most families need nothing
        """Tell an attention module how many groups its projections now hold."""

    @property
    def layer_modules(self) -> nn.ModuleList:
        """The decoder-layer modules in order."""
        return self.decoder.layers

    @property
    def layers(self) -> list[Layer]:
        """The parts of all decoder layers in order."""
        return [self.layer(module) for module in self.layer_modules]

    @property
    def lm_head(self) -> nn.Module:
        """The map from hidden states to vocabulary logits."""
        return self.model.get_output_embeddings()

    def hidden_states(self, ids: torch.Tensor) -> torch.Tensor:
        """Normalised last hidden states (batch, tokens, hidden) of token ids (batch, tokens), without a cache."""
        return self.decoder(input_ids=ids, use_cache=False).last_hidden_state

    @property
    def input_device(self) -> torch.device:
        """Where token ids must be put."""
        return self.embeddings[0].weight.device

    def roles(self) -> tuple[str, ...]:
        """Names of the linears of a layer, in the order of ``Layer.linears``."""
        return self.shape.roles

    def prunable_linears(self) -> Iterator[tuple[str, nn.Module]]:
        """(unit name such as ``layers.3.query``, linear) for every prunable weight matrix."""
        for index, layer in enumerate(self.layers):
            for role, linear in zip(self.roles(), layer.linears, strict=True):
                yield f"layers.{index}.{role}", linear

    @property
    def shortcuts(self) -> list[nn.Module]:
        """Linears that a rotated model stores in its decoder layers and the dense model does not."""
        return [linear for module in self.layer_modules for linear in getattr(module, "shortcuts", ())]


def adapter_classes() -> dict[str, type[Adapter]]:
    """Adapter class by ``config.model_type``."""
    from sparsitysolver.models.llama import LlamaAdapter, MistralAdapter
    from sparsitysolver.models.opt import OptAdapter

    return {kind: cls for cls in (OptAdapter, LlamaAdapter, MistralAdapter) for kind in cls.model_types}


def adapter_class(config: PretrainedConfig) -> type[Adapter]:
    """The adapter for a config, or an error with near family names."""
    classes = adapter_classes()
    if config.model_type not in classes:
        raise unknown_name("model family", config.model_type, classes)
    return classes[config.model_type]


def adapt(model: PreTrainedModel) -> Adapter:
    """The adapter around a loaded model."""
    return adapter_class(model.config)(model)


def refuse(config: PretrainedConfig, why: str) -> None:
    """Raise for a variant of a supported family that the adapter does not cover."""
    name = getattr(config, "_name_or_path", "") or config.model_type
    raise SparsitySolverError(f"model '{name}' is not supported: {why}")
