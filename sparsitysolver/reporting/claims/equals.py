"""Rows that stand for another method where this one removed more or less than the others it is compared with."""

import functools
from collections.abc import Iterable

from sparsitysolver import CONFIG
from sparsitysolver.config.tables import load_definition


def equal_rows(method: str) -> tuple[str, ...]:
    """The methods that bring another one to the sparsity or size asked for: ``equal_of`` in any table's definition."""
    return tuple(dict.fromkeys(key for key, stands_for in _stand_ins() if stands_for == method))


def with_equals(methods: Iterable[str]) -> list[str]:
    """Some methods, each once, and the rows that stand for them."""
    return list(dict.fromkeys(key for method in methods for key in (method, *equal_rows(method))))


@functools.cache
def _stand_ins() -> list[tuple[str, str]]:
    names = sorted(path.stem for path in (CONFIG / "tables").glob("*.yaml"))
    return [(row.method, row.equal_of) for name in names for row in load_definition(name).all_rows if row.equal_of]
