"""What pruning needs to know of a decoder-only transformer: one adapter per family, each a file of ``families/``.

Neither this nor a family's file imports torch, so that what is known of a family can be asked without it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar

from sparsitysolver.config.bos import FIRST
from sparsitysolver.errors import SparsitySolverError, known, unknown_name
from sparsitysolver.models import families
from sparsitysolver.models.shape import Shape

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel

_CACHE_BYTES = 4 << 20  # of a CPU core: a batch's widest float32 activations ought to stay in it
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")  # how configs count a mixture's


@dataclass(frozen=True)
class Layer:
    """The parts of one decoder layer; every weight is (out_features, in_features)."""

    module: nn.Module
    roles: tuple[str, ...]
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
    def linears(self) -> dict[str, nn.Module]:
        """The prunable linears by role, in forward order."""
        linears = (*self.attention_inputs, self.attention_output, *self.ffn_inputs, self.ffn_output)
        return dict(zip(self.roles, linears, strict=True))


class Adapter(ABC):
    """A family, around one model instance; see ``families/opt.py`` and ``families/llama.py``.

    A family that stores several matrices as one (a fused qkv) overrides :meth:`split` and :meth:`fused`.
    """

    family: ClassVar[str]  # the name of its file
    title: ClassVar[str]
    decoder_path: ClassVar[str]  # in the model: the module from token ids to the normalised last hidden state
    embedding_names: ClassVar[tuple[str, ...]] = ("embed_tokens",)  # in the decoder: their sum is the first stream
    final_norm_name: ClassVar[str] = "norm"  # in the decoder
    # In a decoder layer, in forward order: attention, both norms that modules read behind, and the linears by role.
    # The FFN's inputs are ``gate`` and ``up``, or ``ffn_input``.
    paths: ClassVar[Mapping[str, str]]
    ffn_option: ClassVar[str] = "intermediate_size"  # of the config: number of FFN neurons
    subtracts_mean: ClassVar[bool] = False  # LayerNorm: SliceGPT folds the mean subtraction into the weights
    # Options of the stock config that give the attention's and the FFN's linears biases; none: it has no such option.
    bias_options: ClassVar[tuple[str, str] | None] = None
    # Names (regular expressions) of tensors that some checkpoints hold and the model rightly does without.
    idle: ClassVar[tuple[str, ...]] = ()
    # (regular expression of tensor names, what in config.json gives them a place), for tensors that may have none.
    announced_by: ClassVar[tuple[tuple[str, str], ...]] = ()
    bos: ClassVar[str] = "first"  # which BOS its windows have, a rule of config/bos.py
    # Of published models, whose parameters are counted from their sizes:
    biased: ClassVar[tuple[str, ...]] = ()  # roles of the linears with a bias
    norms_per_layer: ClassVar[int] = 2
    tied: ClassVar[bool] = False  # the head is the token table
    positions: ClassVar[int] = 0  # rows of a learned position table

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.config = model.config
        self.shape = self.shape_of(model.config)
        # fetched once: the layers of SliceGPT ask for their parts at every step
        self._getters = {part: attrgetter(path) for part, path in self.paths.items()}
        self.split()

    def __init_subclass__(cls) -> None:
        cls.family = cls.__module__.rpartition(".")[2]

    @classmethod
    def shape_of(cls, config: PretrainedConfig) -> Shape:
        """Dense sizes from a config; families refuse variants that they do not cover."""
        heads = config.num_attention_heads
        return cls.sizes(
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=heads,
            kv_heads=getattr(config, "num_key_value_heads", None) or heads,
            head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
            ffn=getattr(config, cls.ffn_option),
        )

    @classmethod
    def sizes(cls, layers: int, hidden: int, heads: int, kv_heads: int, head_dim: int, ffn: int) -> Shape:
        """The shape of a model of this family from its numbers."""
        inputs = 1 + ("gate" in cls.paths)
        return Shape(cls.family, layers, hidden, kv_heads, heads // kv_heads, head_dim, ffn, inputs)

    @classmethod
    def fixed_parameters(cls, shape: Shape) -> int:
        """Parameters of a published decoder that are neither prunable weights nor embeddings: norms and biases."""
        norms = (cls.norms_per_layer * shape.layers + 1) * shape.hidden * (2 if cls.subtracts_mean else 1)
        return norms + shape.layers * sum(shape.matrices[role][0] for role in cls.biased)

    @abstractmethod
    def ffn(self, module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        """The FFN of one decoder-layer module applied to its normalised input (..., hidden)."""

    def group_count_changed(self, attention: nn.Module, groups: int) -> None:  # noqa: B027 - most families need nothing
        """Tell an attention module how many groups its projections now hold."""

    def split(self) -> None:  # noqa: B027 - most families need nothing
        """Put a linear each in place of matrices that the family stores as one; a second call changes nothing."""

    def fused(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
        """A state dict under the names of the stock architecture; None where :meth:`split` does nothing."""
        return None

    def gain(self, norm: nn.Module) -> torch.Tensor:
        """What a norm of the family multiplies by, channel by channel."""
        return norm.weight

    def unrotatable(self) -> str | None:
        """Why SliceGPT cannot fold this model's norms, if it cannot."""
        return None

    @property
    def decoder(self) -> nn.Module:
        """The module that maps token ids to the normalised last hidden state."""
        return self.model.get_submodule(self.decoder_path)

    @property
    def embeddings(self) -> tuple[nn.Embedding, ...]:
        """Tables whose sum is the first residual stream."""
        return tuple(getattr(self.decoder, name) for name in self.embedding_names)

    def layer(self, module: nn.Module) -> Layer:
        """The parts of one decoder-layer module."""
        parts = {part: get(module) for part, get in self._getters.items()}
        inputs = tuple(parts.pop(role) for role in self.shape.ffn_input_roles)
        return Layer(module=module, roles=self.shape.roles, ffn_inputs=inputs, **parts)

    def replace(self, module: nn.Module, part: str, new: nn.Module) -> None:
        """Put another module in place of a part of a decoder-layer module: a key of ``paths``."""
        holder, _, name = self.paths[part].rpartition(".")
        setattr(module.get_submodule(holder), name, new)

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

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Vocabulary logits (..., vocabulary) of normalised last hidden states (..., hidden)."""
        return self.lm_head(hidden)

    def hidden_states(self, ids: torch.Tensor) -> torch.Tensor:
        """Normalised last hidden states (batch, tokens, hidden) of token ids (batch, tokens), without a cache."""
        return self.decoder(input_ids=ids, use_cache=False).last_hidden_state

    @property
    def input_device(self) -> torch.device:
        """Where token ids must be put."""
        return self.embeddings[0].weight.device

    def batch_tokens(self, most: int) -> int:
        """Tokens of a forward pass: ``most`` on GPUs; on a CPU no more than its cache holds the activations of."""
        widest = max(columns for _, columns in self.shape.matrices.values())
        return most if self.input_device.type != "cpu" else max(1, min(most, _CACHE_BYTES // (4 * widest)))

    def prunable_linears(self) -> Iterator[tuple[str, nn.Module]]:
        """(unit name such as ``layers.3.query``, linear) for every prunable weight matrix."""
        for index, layer in enumerate(self.layers):
            for role, linear in layer.linears.items():
                yield f"layers.{index}.{role}", linear

    @property
    def shortcuts(self) -> list[nn.Module]:
        """Linears that a rotated model stores in its decoder layers and the dense model does not."""
        return [linear for module in self.layer_modules for linear in getattr(module, "shortcuts", ())]


def family_names() -> list[str]:
    """Every family that there is a file of, which is its models' ``model_type``."""
    return sorted(module.name for module in pkgutil.iter_modules(families.__path__))


@functools.cache
def family_class(name: str) -> type[Adapter]:
    """A family's adapter by name, or an error with near names."""
    return importlib.import_module(f"{families.__name__}.{known('model family', name, family_names())}").Family


def bos_rule(family: str) -> str:
    """The rule of a family's BOS; of one that there is no adapter for, which is refused when it is loaded, any."""
    return family_class(family).bos if family in family_names() else FIRST


def adapter_class(config: PretrainedConfig) -> type[Adapter]:
    """The adapter for a config; an error with near names, and what a family takes, for one that there is none for."""
    experts = max(getattr(config, name, None) or 0 for name in _EXPERTS)
    if experts > 1:
        raise SparsitySolverError(
            f"a '{config.model_type}' with {experts} experts is not supported: a token passes only a few of them, and "
            "units, budgets and reconstruction here are those of one FFN a layer. Give a dense model."
        )
    text = getattr(config, "text_config", None)
    if text:
        inner = text.get("model_type") if isinstance(text, dict) else text.model_type
        raise SparsitySolverError(
            f"a '{config.model_type}' reads more than text (its config.json has a text_config, of '{inner}'), and is "
            "not supported: give a checkpoint of the text model alone."
        )
    if config.model_type not in family_names():
        raise SparsitySolverError(
            f"{unknown_name('model family', config.model_type, family_names())} Another is one file with the names of "
            "its modules: CONTRIBUTING.md shows one under 'A model family'."
        )
    return family_class(config.model_type)


def adapt(model: PreTrainedModel) -> Adapter:
    """The adapter around a loaded model."""
    return adapter_class(model.config)(model)
