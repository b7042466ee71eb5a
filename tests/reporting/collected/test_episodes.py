"""Episodes needed by a search, on curves with a known answer."""

import subprocess
import sys

import pytest
from sparsitysolver.reporting.collected.episodes import episode_seconds, episodes_to


def test_the_first_episode_within_one_percent_of_the_best():
    assert episodes_to([50.0, 40.0, 30.3, 30.31, 30.0, 30.2]) == 3
    assert episodes_to([50.0, 40.0, 30.31, 30.0]) == 4  # 30.31 is more than 1% above 30


def test_the_best_itself_counts_from_one():
    assert episodes_to([10.0]) == 1
    assert episodes_to([10.0, 20.0]) == 1


def test_only_the_first_episodes_are_looked_at():
    """A better episode behind them neither moves the mark nor is the answer."""
    curve = [40.0] * 299 + [30.0] + [10.0] * 10
    assert episodes_to(curve) == 300
    assert episodes_to(curve, first=299) == 1
    assert episodes_to(curve, first=400) == 301


def test_the_tolerance_is_relative():
    assert episodes_to([12.0, 11.0, 10.0], within=0.2) == 1
    assert episodes_to([12.0, 11.0, 10.0], within=0.1) == 2
    assert episodes_to([12.0, 11.0, 10.0], within=0.0) == 3


@pytest.mark.parametrize("broken", [None, float("nan"), float("inf")])
def test_episodes_without_perplexity_never_count(broken):
    assert episodes_to([broken, 30.0, 10.0]) == 3
    assert episodes_to([broken, broken]) is None
    assert episodes_to([]) is None


def test_seconds_are_a_median():
    assert episode_seconds([9.0, 1.0, 2.0]) == 2.0
    assert episode_seconds([]) is None


def test_the_module_needs_no_torch():
    code = "import sys, sparsitysolver.reporting.collected.episodes as e; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
