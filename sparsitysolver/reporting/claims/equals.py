"""Which rows stand for a method where it removed more or less than others, and which rows it is compared with."""

import functools
from collections.abc import Iterable

from sparsitysolver.config.tables import load_definition, tables


def equal_rows(method: str) -> tuple[str, ...]:
    """The methods that bring another one to the sparsity or size asked for: ``equal_of`` in any table's definition."""
    return tuple(dict.fromkeys(key for key, stands_for in _stand_ins() if stands_for == method))


def with_equals(methods: Iterable[str]) -> list[str]:
    """Some methods, each once, and the rows that stand for them."""
    return list(dict.fromkeys(key for method in methods for key in (method, *equal_rows(method))))


@functools.cache
def rivals_of(table: str, method: str) -> list[str]:
    """The pruned rows that the paper has in a table beside a method."""
    return [row.method for row in load_definition(table).compared_rows if row.method != method]


@functools.cache
def _stand_ins() -> list[tuple[str, str]]:
    rows = [row for name in tables() for row in load_definition(name).all_rows]
    return [(row.method, row.equal_of) for row in rows if row.equal_of]
