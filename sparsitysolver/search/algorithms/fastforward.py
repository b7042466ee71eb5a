"""FastForward-style search (arXiv 2511.18977): the budget outside the policy, and few windows early, many late.

The agent is the single-step PPO of ``ppo``. Its action is a priority per unit that a projection puts on the budget; its
reward is dense perplexity over pruned perplexity, the same in scale for few windows and for many (deviation 90).
"""

from types import SimpleNamespace

import numpy as np

from sparsitysolver.records.files import Json
from sparsitysolver.search.algorithms import ppo
from sparsitysolver.search.journal import Episode, Journal
from sparsitysolver.search.problem import Objective, Problem, SearchResult

# Stages are (share of the budget's tokens, share of the search's own windows), in order.
SETTINGS = SimpleNamespace(stages=((0.25, 0.25), (0.25, 0.5), (0.5, 1.0)))


def run(problem: Problem, journal: Journal, episodes: int, seed: int) -> SearchResult:
    """Search within the tokens of ``episodes`` evaluations; the final policy's mean action is ``policy_mean``."""
    own = objective = problem.objective
    budget, ends = episodes * own.tokens, np.cumsum([share for share, _ in SETTINGS.stages])

    def evaluate(kept: list[int]) -> float:
        return reward_of(journal.record(problem, kept, objective), objective)

    agent = ppo.Search(problem, journal, seed, evaluate)
    with journal.progress(episodes, own.tokens):
        while True:
            left = budget - journal.tokens
            stage = min(int(np.searchsorted(ends - 1e-9, 1 - left / budget, side="right")), len(ends) - 1)
            objective = problem.over(max(1, round(SETTINGS.stages[stage][1] * own.size)))
            fits = left // objective.tokens
            if fits < ppo.SETTINGS.episodes_per_update:
                break
            agent.update()
        for _ in range(fits):
            agent.draw()
    journal.save_curve()
    return SearchResult({"policy_mean": agent.policy_mean()})


def reward_of(episode: Episode, objective: Objective) -> float:
    """What the agent learns from: dense over pruned perplexity; accuracy as it is."""
    if objective.dense_ppl is not None and episode.reward > 0:
        return objective.dense_ppl / episode.ppl
    return episode.reward


def record() -> Json:
    """The agent's settings are those of PPO."""
    return vars(ppo.SETTINGS)
