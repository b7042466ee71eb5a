"""FastForward-style search (arXiv 2511.18977): the budget outside the policy, and few windows early, many late.

The agent is the single-step PPO of ``ppo``. Its action is a priority per unit that a projection puts on the budget; its
reward is dense perplexity over pruned perplexity, the same in scale for few windows and for many (deviation 90).
"""

from dataclasses import asdict, dataclass

import numpy as np

from sparsitysolver.records.files import Json
from sparsitysolver.search.algorithms import ppo
from sparsitysolver.search.journal import Episode, Journal
from sparsitysolver.search.objectives import Objective, PerplexityObjective
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.result import SearchResult
from sparsitysolver.search.rewards import dense_ratio


@dataclass(frozen=True)
class FastForwardSettings:
    """``stages`` are (share of the budget's tokens, share of the search's own windows), in order."""

    stages: tuple[tuple[float, float], ...] = ((0.25, 0.25), (0.25, 0.5), (0.5, 1.0))


SETTINGS = FastForwardSettings()


def objective_of(problem: Problem, spent: float) -> Objective:
    """The objective of the stage that a search has come to which has spent a share of its budget."""
    ends = np.cumsum([share for share, _ in SETTINGS.stages])
    stage = min(int(np.searchsorted(ends - 1e-9, spent, side="right")), len(ends) - 1)
    return problem.over(max(1, round(SETTINGS.stages[stage][1] * problem.objective.size)))


def run(problem: Problem, journal: Journal, episodes: int, seed: int) -> SearchResult:
    """Search within the tokens of ``episodes`` evaluations; the final policy's mean action is ``policy_mean``."""
    budget, objective = episodes * problem.objective.tokens, problem.objective

    def evaluate(kept: list[int]) -> float:
        return reward_of(journal.record(problem, kept, objective), objective)

    agent = ppo.Search(problem, journal, seed, evaluate=evaluate)
    with journal.progress(episodes, problem.objective.tokens):
        while True:
            left = budget - journal.tokens
            objective = objective_of(problem, 1 - left / budget)
            fits = left // objective.tokens
            if fits < agent.settings.episodes_per_update:
                break
            agent.update()
        for _ in range(fits):
            agent.draw()
    journal.save_curve()
    return SearchResult({"policy_mean": agent.policy_mean()})


def reward_of(episode: Episode, objective: Objective) -> float:
    """What the agent learns from: the dense ratio of a perplexity; accuracy as it is."""
    if isinstance(objective, PerplexityObjective) and episode.reward > 0:
        return dense_ratio(episode.ppl, objective.dense_ppl)
    return episode.reward


def record() -> Json:
    """The agent's settings are those of PPO."""
    return asdict(ppo.SETTINGS)
