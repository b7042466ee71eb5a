"""What decides a search's result besides model, statistics and text: checked before anything is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sparsitysolver.config.auto import choose
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.pruning.budget import Bounds, budget_rule, check_bounds, default_bounds, default_upper
from sparsitysolver.pruning.matrix_scores import matrix_criterion
from sparsitysolver.pruning.scores import criterion
from sparsitysolver.pruning.units import GRANULARITIES, STRUCTURED, check_sparsity
from sparsitysolver.search.algorithms import AUTO, GREEDY_BY_DEFAULT, WALKING, module_of
from sparsitysolver.search.objectives import ACCURACY, check_reward

GREEDY, PROJECTION = "greedy", "projection"
DEFAULT_CRITERIA = {"structured": "l2", "unstructured": "wanda"}  # the paper's (appendix A)


@dataclass(frozen=True)
class SearchSettings:
    """Settings of one search.

    ``reward_windows`` and ``rescore_windows`` count windows spread evenly over the reward split, 0 for all of them;
    the ``rescore_top`` best episodes and the algorithm's own candidate (one more episode where it has none) are scored
    again on ``rescore_windows`` before one is chosen. With reward ``accuracy`` the same holds for items of ``task``,
    where all of a large task would cost more than the search itself. ``episodes`` is the budget: so many evaluations
    of ``reward_windows``, or the same number of tokens in evaluations of other sizes. ``criterion``, ``a_min`` and
    ``a_max`` of None are the granularity's own, ``budget`` of None is the algorithm's.
    """

    algorithm: str = "ppo"
    granularity: str = STRUCTURED
    sparsity: float = 0.2
    episodes: int = 3000
    seed: int = 0
    reward: str = "inverse_ppl"
    reward_split: str = "validation"
    reward_windows: int = 8
    rescore_windows: int = 32
    task: str | None = None
    reward_items: int = 64
    rescore_items: int = 512
    rescore_top: int = 5
    budget: str | None = None
    a_min: float | None = None
    a_max: float | None = None
    literal: bool = False
    criterion: str | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "SearchSettings":
        """Settings from command-line options of the same names, None standing for a default; checked."""
        names = [field.name for field in fields(cls) if options.get(field.name) is not None]
        return cls(**{name: options[name] for name in names}).check()

    def check(self) -> "SearchSettings":
        """Refuse what cannot be searched."""
        check_sparsity(self.sparsity)
        if self.episodes < 1:
            raise SparsitySolverError(f"{self.episodes} episodes asked for; a search needs at least 1.")
        for name in ("reward_windows", "reward_items"):
            if getattr(self, name) < 0:
                raise SparsitySolverError(
                    f"{getattr(self, name)} {name.replace('_', ' ')} asked for; at least 1 is needed, or 0 for all."
                )
        if self.algorithm != AUTO:
            module_of(self.algorithm)
        if self.granularity not in GRANULARITIES:
            raise unknown_name("granularity", self.granularity, GRANULARITIES)
        if self.algorithm in WALKING and (self.chosen_budget != GREEDY or self.literal):
            raise SparsitySolverError(
                f"algorithm '{self.algorithm}' walks from unit to unit and meets the budget by its action wall: leave "
                "--budget at greedy and --literal out, or take --algorithm ppo."
            )
        check_criterion(self.granularity, self.chosen_criterion)
        budget_rule(self.chosen_budget)
        check_reward(self.reward)
        if self.reward == ACCURACY and self.task is None:
            raise SparsitySolverError("reward 'accuracy' is measured on a zero-shot task: name it by --task.")
        check_bounds(self.bounds, self.sparsity)
        return self

    def resolved(self, units: int) -> "SearchSettings":
        """The same with the algorithm that ``auto`` stands for on so many units."""
        if self.algorithm != AUTO:
            return self
        return replace(self, algorithm=choose(self.granularity, self.episodes, units)).check()

    @property
    def chosen_criterion(self) -> str:
        """The criterion, by default the paper's for the granularity."""
        return self.criterion or DEFAULT_CRITERIA[self.granularity]

    @property
    def chosen_budget(self) -> str:
        """The budget rule, by default the algorithm's own."""
        return self.budget or (GREEDY if self.algorithm in GREEDY_BY_DEFAULT else PROJECTION)

    @property
    def bounds(self) -> Bounds:
        """a_min and a_max, by default as granularity and sparsity ask."""
        upper = default_upper(self.sparsity, self.granularity) if self.a_max is None else self.a_max
        if self.a_min is None:
            return default_bounds(self.sparsity, upper)
        return Bounds(self.a_min, upper)


def check_criterion(granularity: str, name: str) -> str:
    """A criterion of a granularity, or an error with near names."""
    (criterion if granularity == STRUCTURED else matrix_criterion)(name)
    return name
