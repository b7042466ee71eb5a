"""What decides a search's result besides model, statistics and text: checked before anything is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from sparsitysolver.config.auto import choose
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.options import setting
from sparsitysolver.pruning.units import GRANULARITIES, STRUCTURED, check_sparsity
from sparsitysolver.search.algorithms import AUTO, GREEDY, GREEDY_BY_DEFAULT, PROJECTION, WALKING, module_of

if TYPE_CHECKING:
    from sparsitysolver.pruning.budget import Bounds

DEFAULT_CRITERIA = {"structured": "l2", "unstructured": "wanda"}  # the paper's (appendix A)
ACCURACY = "accuracy"
# Rewards of a perplexity, given the dense model's: the paper's (section 3.1), and one of the same scale for all models.
PERPLEXITY_REWARDS: dict[str, Callable[[float, float], float]] = {
    "inverse_ppl": lambda ppl, dense_ppl: 10.0 / ppl,
    "dense_ratio": lambda ppl, dense_ppl: dense_ppl / ppl,
}


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

    algorithm: str = setting("ppo", "how to search (default: %(default)s, the paper's; see docs/searches.md)")
    granularity: str = setting(
        STRUCTURED, "structured or unstructured (default: the method's own; structured)", command_default=None
    )
    sparsity: float = 0.2
    episodes: int = setting(3000, "evaluations, or their worth in tokens (default: %(default)s)")
    seed: int = 0
    reward: str = setting("inverse_ppl", "inverse_ppl (default), dense_ratio, or accuracy on --task")
    reward_split: str = setting("validation", "validation (default), train, or test (leaky, flagged)")
    reward_windows: int = setting(8, "windows per episode, 0 for all (default: %(default)s)")
    rescore_windows: int = 32
    task: str | None = setting(None, "zero-shot task: its accuracy is the reward, or its text reconstructed on")
    reward_items: int = setting(64, "items of the task per episode, 0 for all (default: %(default)s)")
    rescore_items: int = 512
    rescore_top: int = 5
    budget: str | None = setting(None, "greedy (Algorithm 1; default of ppo) or projection (exact; others)")
    a_min: float | None = setting(None, "least preserved ratio (default: 2(1-P) - a_max - 0.1, or 0)")
    a_max: float | None = setting(None, "greatest preserved ratio (default: 1; unstructured: by sparsity)")
    literal: bool = setting(False, "line 1 of Algorithm 1 exactly as printed")
    criterion: str | None = setting(
        None, "structured: l2 (default), wanda_sp, fluctuation, magnitude; unstructured: wanda (default), magnitude"
    )

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "SearchSettings":
        """Settings from command-line options of the same names, None standing for a default; checked."""
        names = [field.name for field in fields(cls) if options.get(field.name) is not None]
        return cls(**{name: options[name] for name in names}).check()

    def check(self) -> "SearchSettings":
        """Refuse what cannot be searched."""
        from sparsitysolver.pruning.budget import budget_rule, check_bounds  # numpy; the command line's help has none

        check_sparsity(self.sparsity)
        if self.episodes < 1:
            raise SparsitySolverError(f"{self.episodes} episodes asked for; a search needs at least 1.")
        for name, count in (("reward windows", self.reward_windows), ("reward items", self.reward_items)):
            if count < 0:
                raise SparsitySolverError(f"{count} {name} asked for; at least 1 is needed, or 0 for all.")
        if self.algorithm != AUTO:
            module_of(self.algorithm)
        known("granularity", self.granularity, GRANULARITIES)
        if self.algorithm in WALKING and (self.chosen_budget != GREEDY or self.literal):
            raise SparsitySolverError(
                f"algorithm '{self.algorithm}' walks from unit to unit and meets the budget by its action wall: leave "
                "--budget at greedy and --literal out, or take --algorithm ppo."
            )
        check_criterion(self.granularity, self.chosen_criterion)
        budget_rule(self.chosen_budget)
        known("reward", self.reward, (*PERPLEXITY_REWARDS, ACCURACY))
        if self.reward == ACCURACY and self.task is None:
            raise SparsitySolverError("reward 'accuracy' is measured on a zero-shot task: name it by --task.")
        check_bounds(self.bounds, self.sparsity)
        return self

    def resolved(self, units: int) -> "SearchSettings":
        """The same with the algorithm that ``auto`` stands for on so many units."""
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
    def sizes(self) -> tuple[int, int]:
        """Windows, or items of the task, of an episode and of scoring again; 0 for all."""
        if self.reward == ACCURACY:
            return self.reward_items, self.rescore_items
        return self.reward_windows, self.rescore_windows

    @property
    def bounds(self) -> "Bounds":
        """a_min and a_max, by default as granularity and sparsity ask."""
        from sparsitysolver.pruning.budget import Bounds, default_bounds, default_upper

        upper = default_upper(self.sparsity, self.granularity) if self.a_max is None else self.a_max
        return default_bounds(self.sparsity, upper) if self.a_min is None else Bounds(self.a_min, upper)


def check_criterion(granularity: str, name: str) -> None:
    """Refuse what is no criterion of a granularity, with near names."""
    from sparsitysolver.pruning.scores import criterion  # torch takes seconds to import

    criterion(granularity, name)
