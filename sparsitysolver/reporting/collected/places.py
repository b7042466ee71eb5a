"""Which search a strategy file is: read from where it lies, ``MODEL/METHOD/SPARSITY/SEED/TARGET/KEY.json``."""

from dataclasses import dataclass
from pathlib import Path

from sparsitysolver.config.registry import is_zero_shot
from sparsitysolver.errors import SparsitySolverError


@dataclass(frozen=True)
class Place:
    """The axes of a search; ``task`` is empty where all tasks share it."""

    model: str
    method: str
    sparsity: float
    seed: int
    task: str
    key: str


def place_of(path: Path) -> Place:
    """The axes of a strategy file by its path.

    Raises:
        SparsitySolverError: the path does not end as those of searches do.
    """
    try:
        model, method, sparsity, seed, target, _ = path.parts[-6:]
        return Place(model, method, float(sparsity), int(seed), target if is_zero_shot(target) else "", path.stem)
    except ValueError as error:
        raise SparsitySolverError(
            f"{path} does not lie where searches do: MODEL/METHOD/SPARSITY/SEED/TARGET/KEY.json is needed."
        ) from error
