"""Search algorithms by name; a module has ``run(problem, journal, episodes, seed)`` and ``record()``."""

from types import ModuleType

from sparsitysolver.search import ppo

ALGORITHMS: dict[str, ModuleType] = {"ppo": ppo}
