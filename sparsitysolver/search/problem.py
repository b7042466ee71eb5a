"""What a search is asked to solve: units, a budget, and data that candidates are rewarded on; and what it answers."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from sparsitysolver.config.bos import FIRST
from sparsitysolver.data.windows import Windows, spread
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import perplexity
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.pruning.budget import Bounds, Projection, ratios
from sparsitysolver.pruning.effects import Effect
from sparsitysolver.pruning.units import Unit, budget, kept_weights
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import REWARD, seen
from sparsitysolver.search.engines import Engine
from sparsitysolver.search.settings import PERPLEXITY_REWARDS


@dataclass(frozen=True)
class Objective:
    """Scores candidates; the same for every candidate of a search.

    ``score`` makes kept counts (perplexity, reward), the perplexity None where the reward is no perplexity's. It
    evaluates ``tokens`` tokens of ``size`` windows or items. ``about`` is what a strategy keeps of it.
    """

    score: Callable[[Sequence[int]], tuple[float | None, float]]
    tokens: int
    size: int
    windows: torch.Tensor | None = None  # (windows, lead + seqlen) of a perplexity
    lead: int = 0  # tokens of them that are read only
    dense_ppl: float | None = None  # of the dense model, which was evaluated once to set a perplexity's reward up
    about: Json = field(default_factory=dict)

    @property
    def setup_evaluations(self) -> int:
        """Evaluations of the dense model behind it."""
        return int(self.dense_ppl is not None)


def perplexity_objective(
    losses: Callable[[Sequence[int], torch.Tensor], np.ndarray], windows: torch.Tensor, rule: str, dense_ppl: float
) -> Objective:
    """Perplexity of ``windows`` (windows, tokens), rewarded by a rule; one that is not finite earns 0 (deviation 9)."""

    def score(kept: Sequence[int]) -> tuple[float, float]:
        ppl = perplexity(losses(kept, windows))
        return ppl, PERPLEXITY_REWARDS[rule](ppl, dense_ppl) if np.isfinite(ppl) else 0.0

    about = {"reward_windows": len(windows), "dense_ppl": dense_ppl}
    return Objective(score, windows.numel(), len(windows), windows, dense_ppl=dense_ppl, about=about)


@dataclass(frozen=True)
class Reward:
    """Data that candidates are rewarded on; of them there are ``most`` windows or items.

    ``objective(loaded, engine, full, count)`` is the objective over ``count`` of them (0: all), spread evenly; ``full``
    is the dense model as a candidate. ``identity`` is what decides it besides ``count``, ``seen`` what a search has
    seen by it.
    """

    most: int
    objective: Callable[[LoadedModel, Engine, Sequence[int], int], Objective]
    identity: Json
    seen: Json


def text_reward(windows: Windows, rule: str) -> Reward:
    """Windows of a text; ``rule`` names a perplexity reward. A model of no finite perplexity is refused."""
    text, most = windows.text, len(windows.ids)

    def objective(loaded: LoadedModel, engine: Engine, full: Sequence[int], count: int) -> Objective:
        tokens = torch.from_numpy(windows.read[evenly(most, count)].astype(np.int64)).to(loaded.adapter.input_device)
        losses = functools.partial(engine.losses, lead=windows.lead)
        dense = perplexity(losses(full, tokens))
        if not np.isfinite(dense):
            raise SparsitySolverError(
                f"the dense model's perplexity on the reward windows is {dense}: nothing can be searched. Check the "
                "model with 'sparsitysolver preflight', or take another dtype."
            )
        made = perplexity_objective(losses, tokens, rule, dense)
        return replace(made, about=made.about | {"text": text.source}, lead=windows.lead)

    identity = {"text_sha256": text.sha256, "seqlen": windows.seqlen} | bos_identity(windows.rule)
    # The text is seen whole: windows of it are spread over all of it.
    return Reward(most, objective, identity, seen(REWARD, text.source, text.split, text.sha256))


def bos_identity(rule: str) -> Json:
    """What the BOS of a reward's data adds to its identity: nothing where it is the usual one."""
    return {} if rule == FIRST else {"bos": rule}


def evenly(total: int, count: int) -> np.ndarray:
    """``count`` indices spread evenly (0 or more than there are: all)."""
    return spread(total, count if 0 < count < total else None)


@dataclass
class Problem:
    """Units, budget and a way to score candidates.

    ``sized`` makes the objective over another number of windows (or items), of which there are ``most``; without it
    every candidate is scored alike.
    """

    units: Sequence[Unit]
    sparsity: float
    bounds: Bounds
    project: Projection
    objective: Objective
    literal: bool = False
    sized: Callable[[int], Objective] | None = None
    most: int = 0
    others: dict[int, Objective] = field(default_factory=dict)  # objectives of other sizes so far

    def constrain(self, action: np.ndarray) -> list[int]:
        """Raw action (units,) to kept counts within the budget (Algorithm 1)."""
        return self.fit(ratios(np.asarray(action, dtype=float), self.bounds, self.literal))

    def fit(self, wanted: np.ndarray) -> list[int]:
        """Preserved ratios (units,) to kept counts within the budget."""
        return self.project(np.asarray(wanted, dtype=float), self.units, self.sparsity, self.bounds)

    @property
    def uniform(self) -> np.ndarray:
        """The preserved ratios (units,) that are 1 - P everywhere."""
        return np.full(len(self.units), 1 - self.sparsity)

    @property
    def settled(self) -> bool:
        """Whether bounds and budget alone decide the strategy: one unit, or one ratio that any may have."""
        return len(self.units) == 1 or self.bounds.lower == self.bounds.upper

    def ratios(self, kept: Sequence[int]) -> np.ndarray:
        """Kept counts as preserved ratios (units,)."""
        return np.array(kept) / [unit.size for unit in self.units]

    def feasible(self, kept: Sequence[int]) -> bool:
        """Whether a candidate keeps no more weights than the budget."""
        return kept_weights(self.units, kept) <= budget(self.units, self.sparsity)

    def score(self, kept: Sequence[int], objective: Objective | None = None) -> tuple[float | None, float]:
        """(perplexity, reward) by the search's objective or another; no perplexity where that measures none."""
        return (objective or self.objective).score(kept)

    def over(self, size: int | None) -> Objective:
        """The objective over ``size`` windows or items, at most all there are; None for the search's own."""
        if size is None or self.sized is None or size == self.objective.size:
            return self.objective
        size = min(size, self.most)
        if size not in self.others:
            self.others[size] = self.sized(size)
        return self.others[size]


@dataclass(frozen=True)
class SearchResult:
    """What an algorithm hands back to the search that called it.

    ``candidates`` are kept counts by name, to be considered beside the best episodes. ``parameters`` are the tensors
    of an agent's networks, if it learns any. ``notes`` is what the strategy keeps of how the search went. ``effects``
    are a surrogate's, seen from its only candidate.
    """

    candidates: dict[str, list[int]] = field(default_factory=dict)
    parameters: Mapping[str, torch.Tensor] | None = None
    notes: Json = field(default_factory=dict)
    effects: Sequence[Effect] | None = None
