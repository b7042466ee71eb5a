"""Search algorithms by name; each is the module of that name beside this one.

An algorithm's module has ``run(problem, journal, episodes, seed, ...)``, which returns ``Searched``, and
``record()``, its settings. Modules are imported when they are used: the agents' library takes seconds to import.
"""

import importlib
from types import ModuleType

from sparsitysolver.errors import unknown_name

ALGORITHMS = (
    "ppo",
    "amc",
    "amc_broadcast",
    "agmc",
    "random",
    "cma",
    "evolution",
    "evopress",
    "tpe",
    "fastforward",
    "self_pruner",
    "two_rate",
    "surrogate",
)
AUTO = "auto"  # whatever the arena found best at a budget: ``config/auto.tsv``
# They decide unit by unit and so have a budget rule of their own, the action wall.
WALKING = frozenset({"amc", "amc_broadcast", "agmc"})
# They ask a chat model for candidates, which has options of its own.
DRIVEN = frozenset({"self_pruner"})
# Algorithm 1 is the paper's; whoever comes after it meets the budget exactly.
GREEDY_BY_DEFAULT = WALKING | {"ppo"}


def module_of(name: str) -> str:
    """Dotted name of an algorithm's module, or an error with near names."""
    if name not in ALGORITHMS:
        raise unknown_name("search algorithm", name, (*ALGORITHMS, AUTO))
    return f"sparsitysolver.search.{name}"


def algorithm(name: str) -> ModuleType:
    """An algorithm's module, or an error with near names."""
    return importlib.import_module(module_of(name))
