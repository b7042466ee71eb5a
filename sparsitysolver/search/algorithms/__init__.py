"""Search algorithms: the file of a name in this folder is the algorithm of that name, and nothing else lists it.

An algorithm has ``SETTINGS``, attributes that it keeps fixed, and ``run(problem, journal, episodes, seed)``, which
returns a ``SearchResult``; :func:`sparsitysolver.search.trials.budgeted` makes one of a function that proposes
candidates. What it needs it may say in constants, which are read without importing it: its libraries take seconds.

``BUDGET``: ``projection`` (exact; where nothing is said), ``greedy`` (Algorithm 1 by default), or ``wall`` (it decides
unit by unit and so meets the budget by its own action wall). ``DRIVEN = True``: it asks a chat model for candidates,
which has options of its own, and ``run`` takes it as ``driver``.
"""

import ast
import functools
import importlib
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from sparsitysolver.errors import unknown_name

GREEDY, PROJECTION, WALL = "greedy", "projection", "wall"
AUTO = "auto"  # whatever the arena found best at a budget: ``config/auto.tsv``
ALGORITHMS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))


@functools.cache
def needs(name: str) -> dict[str, Any]:
    """What an algorithm's file says of its needs."""
    needed = {"BUDGET": PROJECTION, "DRIVEN": False}
    for node in ast.parse(Path(__file__).with_name(f"{name}.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in needed:
            needed[node.targets[0].id] = ast.literal_eval(node.value)
    return needed


WALKING = frozenset(name for name in ALGORITHMS if needs(name)["BUDGET"] == WALL)
GREEDY_BY_DEFAULT = frozenset(name for name in ALGORITHMS if needs(name)["BUDGET"] != PROJECTION)
DRIVEN = frozenset(name for name in ALGORITHMS if needs(name)["DRIVEN"])


def module_of(name: str) -> str:
    """Dotted name of an algorithm's module, or an error with near names."""
    if name not in ALGORITHMS:
        raise unknown_name("search algorithm", name, (*ALGORITHMS, AUTO))
    return f"{__name__}.{name}"


def algorithm(name: str) -> ModuleType:
    """An algorithm's module, or an error with near names."""
    return importlib.import_module(module_of(name))


def settings_of(name: str) -> dict[str, Any]:
    """An algorithm's settings as a strategy keeps them, and what else its ``record()`` says decides its result."""
    module = algorithm(name)
    fixed, more = vars(getattr(module, "SETTINGS", SimpleNamespace())), getattr(module, "record", dict)()
    return json.loads(json.dumps(fixed | more))
