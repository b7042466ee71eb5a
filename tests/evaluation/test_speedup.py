"""Medians of paired ratios and their intervals: values counted by hand, and how often they hold the truth."""

import math

import numpy as np
import pytest

from sparsitysolver.evaluation.inference import interval_rank, speedup


@pytest.mark.parametrize(
    ("count", "rank", "coverage"),
    [(1, 1, 0), (2, 1, 0.5), (5, 1, 0.9375), (6, 1, 0.96875), (9, 2, 0.9609375), (10, 2, 0.978515625)],
)
def test_ranks_of_small_samples(count, rank, coverage):
    assert interval_rank(count) == (rank, pytest.approx(coverage))


def test_the_greatest_rank_that_is_still_sure_enough():
    rank, coverage = interval_rank(20)
    assert (rank, coverage) == (6, pytest.approx(0.958610534667969))
    missed = 2 * sum(math.comb(20, below) for below in range(rank + 1)) / 2**20
    assert missed > 0.05


def test_ratios_are_taken_round_by_round():
    measured = speedup([2.0, 4.0, 6.0], [1.0, 4.0, 2.0])
    assert measured == {"value": 2.0, "low": 1.0, "high": 3.0, "coverage": 0.75}
    assert speedup([3.0], [2.0])["value"] == 1.5
    with pytest.raises(ValueError, match="shorter"):
        speedup([1.0, 2.0], [1.0])


def test_a_disturbance_that_both_meet_cancels():
    disturbed = np.array([1.0, 7.0, 1.5, 40.0, 1.0, 2.0, 3.0])
    measured = speedup(2.0 * disturbed, 1.6 * disturbed)
    assert (measured["value"], measured["low"], measured["high"]) == pytest.approx((1.25, 1.25, 1.25))


def test_the_interval_holds_the_median_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        ratios = rng.lognormal(mean=math.log(1.3), sigma=0.4, size=10)
        measured = speedup(ratios, np.ones(10))
        held += measured["low"] <= 1.3 <= measured["high"]
    assert held / 2000 == pytest.approx(0.9785, abs=0.01)
