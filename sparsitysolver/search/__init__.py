"""Searching how much of each unit to keep: the episode engine, the environment, one file per algorithm."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """``sparsitysolver.search(...)`` is the library's function, also when this package is imported already."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from sparsitysolver.library import search

        return search(*args, **options)


sys.modules[__name__].__class__ = _Callable
