"""``config/auto.tsv``: which algorithm ``auto`` stands for: what the arena found best at the budget (no torch)."""

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_rows
from sparsitysolver.errors import SparsitySolverError

TABLE = CONFIG / "auto.tsv"


class Choice(Contract):
    """From so many evaluations per unit on, this algorithm was best, by its mean rank over so many problems."""

    granularity: str
    evaluations_per_unit: float
    algorithm: str
    mean_rank: float
    runner_up: str
    problems: int


def choose(granularity: str, episodes: int, units: int) -> str:
    """The algorithm of the largest budget measured that is not above this one; below all, that of the smallest.

    Budgets are compared in evaluations per unit, so that models of other depth can be chosen for.
    """
    known = {row.evaluations_per_unit: row for row in read_rows(TABLE, Choice) if row.granularity == granularity}
    if not known:
        raise SparsitySolverError(f"{TABLE} has no row for granularity '{granularity}'; name an --algorithm.")
    within = [budget for budget in known if budget <= episodes / units]
    return known[max(within, default=min(known))].algorithm
