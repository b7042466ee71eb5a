"""Search algorithms by name.

An algorithm's module has ``run(problem, journal, episodes, seed, start)``, which returns ``agents.Searched``, and
``record()``, its settings. Modules are imported when they are used: the agents' library takes seconds to import.
"""

from collections.abc import Callable
from types import ModuleType


def _ppo() -> ModuleType:
    from sparsitysolver.search import ppo

    return ppo


def _amc() -> ModuleType:
    from sparsitysolver.search import amc

    return amc


def _amc_broadcast() -> ModuleType:
    from sparsitysolver.search import amc_broadcast

    return amc_broadcast


def _agmc() -> ModuleType:
    from sparsitysolver.search import agmc

    return agmc


ALGORITHMS: dict[str, Callable[[], ModuleType]] = {
    "ppo": _ppo,
    "amc": _amc,
    "amc_broadcast": _amc_broadcast,
    "agmc": _agmc,
}
# They decide unit by unit and so have a budget rule of their own, the action wall.
WALKING = frozenset({"amc", "amc_broadcast", "agmc"})
