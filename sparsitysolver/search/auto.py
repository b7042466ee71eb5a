"""Which algorithm ``auto`` stands for: what the arena found best at the budget, by granularity (no torch)."""

import csv
from dataclasses import dataclass

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError

TABLE = CONFIG / "auto.tsv"
COLUMNS = ("granularity", "evaluations_per_unit", "algorithm", "mean_rank", "runner_up", "problems")


@dataclass(frozen=True)
class Choice:
    """From so many evaluations per unit on, this algorithm was best."""

    granularity: str
    evaluations_per_unit: float
    algorithm: str


def choices() -> list[Choice]:
    """The rows of ``config/auto.tsv``, which ``sparsitysolver report choice`` writes from the arena's results."""
    with TABLE.open(newline="") as handle:
        rows = csv.DictReader((line for line in handle if not line.startswith("#")), delimiter="\t")
        return [Choice(row["granularity"], float(row["evaluations_per_unit"]), row["algorithm"]) for row in rows]


def choose(granularity: str, episodes: int, units: int) -> str:
    """The algorithm of the largest budget measured that is not above this one; below all, that of the smallest.

    Budgets are compared in evaluations per unit, so that models of other depth can be chosen for.
    """
    known = sorted((c for c in choices() if c.granularity == granularity), key=lambda one: one.evaluations_per_unit)
    if not known:
        raise SparsitySolverError(f"{TABLE} has no row for granularity '{granularity}'; name an --algorithm.")
    within = [choice for choice in known if choice.evaluations_per_unit <= episodes / units]
    return (within or known[:1])[-1].algorithm
