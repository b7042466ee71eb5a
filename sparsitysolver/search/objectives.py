"""What a candidate is rewarded for: perplexity of fixed windows (accuracy on a task: ``task_reward``)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch

from sparsitysolver.data.windows import Windows, spread
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import perplexity
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import REWARD, seen
from sparsitysolver.search.engines import Engine
from sparsitysolver.search.rewards import PERPLEXITY_REWARDS


class Objective(Protocol):
    """Scores candidates; the same for every candidate of a search."""

    tokens: int  # evaluated per candidate
    size: int  # windows or items they come from
    setup_evaluations: ClassVar[int]  # of the dense model, made once to set the objective up

    def score(self, kept: Sequence[int]) -> tuple[float | None, float]:
        """(perplexity or None, reward) of a candidate."""


@dataclass(frozen=True)
class PerplexityObjective:
    """Perplexity of ``windows`` (windows, seqlen); one that is not finite earns 0 (deviation 9)."""

    losses: Callable[[Sequence[int], torch.Tensor], np.ndarray]
    windows: torch.Tensor
    reward: Callable[[float, float], float]
    dense_ppl: float
    setup_evaluations: ClassVar[int] = 1

    @property
    def tokens(self) -> int:
        """Tokens of all windows."""
        return self.windows.numel()

    @property
    def size(self) -> int:
        """Number of windows."""
        return len(self.windows)

    def score(self, kept: Sequence[int]) -> tuple[float, float]:
        """(perplexity, reward) of a candidate."""
        ppl = perplexity(self.losses(kept, self.windows))
        return ppl, self.reward(ppl, self.dense_ppl) if np.isfinite(ppl) else 0.0


class Reward(Protocol):
    """Data that candidates are rewarded on; ``most`` is how many windows or items there are."""

    most: int

    def objective(self, loaded: LoadedModel, engine: Engine, full: Sequence[int], count: int) -> Objective:
        """The objective over ``count`` windows or items (0: all); ``full`` is the dense model as a candidate."""

    def identity(self) -> Json:
        """What decides the objective besides ``count``."""

    def record(self, objective: Objective) -> Json:
        """What a strategy keeps of its reward."""

    def seen(self) -> Json:
        """The data, as what is searched on them has seen them (:mod:`sparsitysolver.records.seen`)."""


@dataclass(frozen=True)
class TextReward:
    """Reward windows of a text, spread evenly; ``rule`` names a perplexity reward."""

    windows: Windows
    rule: str

    @property
    def most(self) -> int:
        """Number of windows of the text."""
        return len(self.windows.ids)

    def objective(self, loaded: LoadedModel, engine: Engine, full: Sequence[int], count: int) -> PerplexityObjective:
        """The objective over ``count`` windows; refuses a model of no finite perplexity."""
        chosen = self.windows.ids[evenly(len(self.windows.ids), count)]
        tokens = torch.from_numpy(chosen.astype(np.int64)).to(loaded.adapter.input_device)
        dense = perplexity(engine.losses(full, tokens))
        if not np.isfinite(dense):
            raise SparsitySolverError(
                f"the dense model's perplexity on the reward windows is {dense}: nothing can be searched. Check the "
                "model with 'sparsitysolver preflight', or take another dtype."
            )
        return PerplexityObjective(engine.losses, tokens, PERPLEXITY_REWARDS[self.rule], dense)

    def identity(self) -> Json:
        """What decides the objective besides the number of windows."""
        return {"text_sha256": self.windows.text.sha256, "seqlen": self.windows.seqlen}

    def record(self, objective: PerplexityObjective) -> Json:
        """What a strategy keeps of its reward."""
        return self.identity() | {
            "text": self.windows.text.source,
            "reward_windows": len(objective.windows),
            "dense_ppl": objective.dense_ppl,
        }

    def seen(self) -> Json:
        """The text, whole: windows of it are spread over all of it."""
        text = self.windows.text
        return seen(REWARD, text.source, text.split, text.sha256)


def evenly(total: int, count: int) -> np.ndarray:
    """``count`` indices spread evenly (0 or more than there are: all)."""
    return spread(total, count if 0 < count < total else None)
