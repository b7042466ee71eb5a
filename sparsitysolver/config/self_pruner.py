"""``config/self_pruner.yaml``: Self-Pruner's published results, and the rows measured beside them (no torch)."""

from functools import cache

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_yaml
from sparsitysolver.config.registry import MethodKey


class Compression(Contract):
    """What is published of one compression.

    Attributes:
        of: the model it was published of.
        left: the size that is left, as printed.
        drop: the fall of mean accuracy over seven tasks in percent.
        speedup: of generation, on an A100.
    """

    sparsity: str
    of: str
    left: str
    drop: float
    speedup: float


class SelfPruner(Contract):
    """The whole file: published compressions, and the methods that are measured at them."""

    published: tuple[Compression, ...]
    methods: tuple[MethodKey, ...]


@cache
def definition() -> SelfPruner:
    """The file as it stands."""
    return read_yaml(CONFIG / "self_pruner.yaml", SelfPruner)
