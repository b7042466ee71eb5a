"""A model's source and a loaded model: what its folder or hub id, weights, tokenizer and protocol are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from sparsitysolver.config.bos import EVERY
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.adapter import Adapter
from sparsitysolver.models.structure import CONFIG_FIELD, Structure


@dataclass(frozen=True)
class ModelSource:
    """Where a model is read from: a folder, or a hub id with a pinned revision."""

    name: str
    location: str
    revision: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether ``location`` is a folder."""
        return self.revision is None and Path(self.location).is_dir()


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
    bos: str = ""  # which BOS its windows and requests have, a rule of config/bos.py; the family's by default

    def __post_init__(self) -> None:
        self.bos = self.bos or self.adapter.bos

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

    @property
    def lead(self) -> int:
        """Tokens before every window that are read and not scored."""
        return int(self.bos == EVERY)

    def seqlen(self, asked: int | None, default: int = 2048) -> int:
        """Window length: the one asked for, else ``default`` or what the model takes beside a BOS, if that is less."""
        most = self.context - self.lead
        if asked is None:
            return min(default, most)
        if not 2 <= asked <= most:
            beside = " and a BOS before them" if self.lead else ""
            raise SparsitySolverError(
                f"window length {asked} asked for; {self.source.name} takes 2 to {most} tokens{beside}."
            )
        return asked
