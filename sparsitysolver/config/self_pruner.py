"""``config/self_pruner.yaml``: Self-Pruner's published results, and the rows measured beside them (no torch)."""

from functools import cache

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_yaml
from sparsitysolver.config.registry import MethodKey


class Compression(Contract):
    """Published of one compression: the size left as printed, the fall of accuracy in percent, the speed-up."""

    sparsity: str
    of: str  # the model
    left: str
    drop: float
    speedup: float


class SelfPruner(Contract):
    """The whole file, whose comments say what is what."""

    published: tuple[Compression, ...]
    methods: tuple[MethodKey, ...]


@cache
def definition() -> SelfPruner:
    """The file as it stands."""
    return read_yaml(CONFIG / "self_pruner.yaml", SelfPruner)
