"""``config/self_pruner.yaml``: Self-Pruner's published results, and the rows measured beside them (no torch)."""

from functools import cache

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_yaml
from sparsitysolver.config.registry import MethodKey


class Compression(Contract):
    """What is published of one compression."""

    sparsity: str
    of: str  # the model
    left: str  # the size that is left, as printed
    drop: float  # of mean accuracy over seven tasks, in percent
    speedup: float  # of generation, on an A100


class SelfPruner(Contract):
    """The whole file."""

    published: tuple[Compression, ...]
    methods: tuple[MethodKey, ...]


@cache
def definition() -> SelfPruner:
    """The file as it stands."""
    return read_yaml(CONFIG / "self_pruner.yaml", SelfPruner)
