"""``config/regression/cells.yaml``: the cells that are watched for regressions (no torch)."""

from functools import cache

from pydantic import model_validator

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_yaml
from sparsitysolver.config.registry import MethodKey

DEFINITION = CONFIG / "regression" / "cells.yaml"


class WatchedCell(Contract):
    """Method and sparsity of a watched cell, the dense model without sparsity."""

    method: MethodKey
    sparsity: float | None = None

    @model_validator(mode="after")
    def _only_dense_has_none(self) -> "WatchedCell":
        if (self.method == "dense") != (self.sparsity is None):
            raise ValueError("every method but dense needs a sparsity")
        return self


class _Watched(Contract):
    cells: tuple[WatchedCell, ...]


@cache
def watched_cells() -> tuple[WatchedCell, ...]:
    """The watched cells of every model."""
    return read_yaml(DEFINITION, _Watched).cells
