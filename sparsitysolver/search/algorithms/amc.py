"""AMC as SparsitySolver's paper describes it: DDPG on a walk whose only reward comes after the last unit.

He, Lin, Liu, Wang, Li, Han: AMC: AutoML for Model Compression and Acceleration on Mobile Devices, ECCV 2018. Their
published code rewards every step: ``amc_broadcast``.
"""

from sparsitysolver.search import ddpg
from sparsitysolver.search.agents import Agent
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.result import SearchResult
from sparsitysolver.search.walk import UnitFeatures

SETTINGS = ddpg.DDPGSettings(broadcast=False)
BUDGET = "wall"


def run(
    problem: Problem,
    journal: Journal,
    episodes: int,
    seed: int,
    start: Agent | None = None,
    settings: ddpg.DDPGSettings = SETTINGS,
) -> SearchResult:
    """Search for ``episodes`` episodes."""
    observe = UnitFeatures(problem.units)
    return ddpg.WalkSearch(problem, journal, episodes, seed, observe, settings, start=start).run()
