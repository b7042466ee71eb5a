"""The benchmark of proposals: what it times, on the algorithm that costs least."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "proposals.py"


@pytest.fixture(scope="module")
def proposals():
    spec = importlib.util.spec_from_file_location("proposals", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_counts_the_proposals_behind_the_skipped_ones(proposals):
    row = proposals.measure("ppo", 4, episodes=31, skip=10)
    assert (row["algorithm"], row["units"], row["episodes"]) == ("ppo", 4, 20)
    assert 0 < row["seconds_per_proposal"] < 1
    assert 0 < row["processor_seconds_per_proposal"] < 1
    assert row["checkpoint_bytes"] > 100_000 and row["checkpoint_seconds"] > 0


def test_the_objective_is_free_and_falls_with_what_is_removed(proposals):
    problem, objective = proposals.problem_of(4)
    full = [unit.size for unit in problem.units]
    assert problem.score(full) == (10, 1)
    assert problem.score([*full[:3], 0]) == (13, 10 / 13)
    assert len(objective.asked) == 2
