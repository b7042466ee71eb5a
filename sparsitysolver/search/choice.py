"""Which algorithm ``auto`` stands for: what the arena found best at the budget, by granularity (no torch)."""

from sparsitysolver.config.auto import TABLE, choices
from sparsitysolver.errors import SparsitySolverError


def choose(granularity: str, episodes: int, units: int) -> str:
    """The algorithm of the largest budget measured that is not above this one; below all, that of the smallest.

    Budgets are compared in evaluations per unit, so that models of other depth can be chosen for.
    """
    known = sorted(
        (c for c in choices(TABLE) if c.granularity == granularity), key=lambda one: one.evaluations_per_unit
    )
    if not known:
        raise SparsitySolverError(f"{TABLE} has no row for granularity '{granularity}'; name an --algorithm.")
    within = [choice for choice in known if choice.evaluations_per_unit <= episodes / units]
    return (within or known[:1])[-1].algorithm
