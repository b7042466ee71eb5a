"""``config/auto.tsv``: which search was best at which budget, as ``report choice`` found (no torch)."""

from pathlib import Path

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_rows

TABLE = CONFIG / "auto.tsv"


class Choice(Contract):
    """From so many evaluations per unit on, this algorithm was best, by its mean rank over so many problems."""

    granularity: str
    evaluations_per_unit: float
    algorithm: str
    mean_rank: float
    runner_up: str
    problems: int


def choices(path: Path = TABLE) -> list[Choice]:
    """The rows of the table."""
    return read_rows(path, Choice)
