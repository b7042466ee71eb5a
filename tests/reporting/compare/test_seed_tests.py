"""Paired tests over seeds: by hand, and how often they call a difference what is none, by simulation."""

import math

import numpy as np
import pytest

from sparsitysolver.reporting.compare.intervals import LEVEL, holm, paired_t

PROBLEMS, SEARCHES, SEEDS, WINDOWS = 4000, 15, 5, 8


def losses(rng, between_seeds=0.02, between_windows=0.0, problems=PROBLEMS):
    """Mean loss of every window, (problems, searches, seeds, windows), of searches that are equally good.

    Windows differ for all searches alike, and by ``between_windows`` for each search in its own way.
    """
    of_seeds = rng.normal(0, between_seeds, (problems, SEARCHES + 1, SEEDS, 1))
    shared = rng.normal(0, 0.3, (problems, 1, 1, WINDOWS))
    own = rng.normal(0, between_windows, (problems, SEARCHES + 1, 1, WINDOWS))
    return of_seeds + shared + own + rng.normal(0, 0.01, (problems, SEARCHES + 1, SEEDS, WINDOWS))


def p_values(measured):
    """Of every search against the last one, (problems, searches)."""
    differences = (measured[:, :-1] - measured[:, -1:]).mean(axis=-1)
    return paired_t(differences).p


def test_the_test_is_students():
    """-0.11, -0.09, -0.10: mean -0.1, standard error 0.01 / sqrt(3); two degrees of freedom have a closed form."""
    test = paired_t(np.array([-0.11, -0.09, -0.10]))
    t = 0.1 / (0.01 / math.sqrt(3))
    assert test.mean == pytest.approx(-0.1) and test.p == pytest.approx(1 - t / math.sqrt(t * t + 2))
    half = 4.302652729911275 * 0.01 / math.sqrt(3)
    assert (test.low, test.high) == pytest.approx((-0.1 - half, -0.1 + half))


def test_the_interval_leaves_out_zero_where_p_is_below_the_level():
    test = paired_t(np.random.default_rng(0).normal(0.02, 0.02, (2000, SEEDS)))
    outside = (test.low > 0) | (test.high < 0)
    assert (outside == (test.p < LEVEL)).all() and 100 < outside.sum() < 1900


@pytest.mark.parametrize("differences", [[0.1, 0.1, 0.1], [0.0, 0.0], [0.3]])
def test_seeds_that_do_not_differ_test_nothing(differences):
    test = paired_t(np.array(differences))
    assert test.mean == pytest.approx(differences[0])
    assert np.isnan([test.low, test.high, test.p]).all()


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 x 0.01; 2 x 0.03; 1 x 0.04, but no less than that before it
        ([0.5, 0.4], [0.8, 0.8]),
        ([0.9, 0.7, 0.6], [1.0, 1.0, 1.0]),
        ([0.02, math.nan, 0.01], [0.02, math.nan, 0.02]),  # a test that is not made is not corrected for
        ([], []),
    ],
)
def test_holms_correction(p, corrected):
    assert holm(np.array(p, dtype=float)) == pytest.approx(corrected, nan_ok=True)


def test_one_comparison_in_twenty_is_a_false_alarm():
    """Of 60,000 comparisons of equals, alone 5% are called a difference; corrected, 5% of the problems have any."""
    p = p_values(losses(np.random.default_rng(0)))
    assert (p < LEVEL).mean() == pytest.approx(LEVEL, abs=0.004)
    any_alone, any_corrected = ((q < LEVEL).any(axis=1).mean() for q in (p, holm(p)))
    assert any_alone > 0.2  # what the correction is for
    assert any_corrected < LEVEL  # all share one reference, and so are called together: 5% is the bound


def test_of_independent_comparisons_one_problem_in_twenty_has_a_false_star():
    """Without a shared reference Holm's bound is met nearly: 1 - (1 - 0.05 / 15) ** 15 = 4.9%."""
    p = paired_t(np.random.default_rng(1).normal(0, 0.02, (PROBLEMS, SEARCHES, SEEDS))).p
    assert (holm(p) < LEVEL).any(axis=1).mean() == pytest.approx(0.049, abs=0.01)


def test_a_difference_is_found_beside_searches_that_are_equal():
    """A search that is better by ten standard errors is starred nearly always, the others no more than alone."""
    measured = losses(np.random.default_rng(2))
    measured[:, 0] -= 10 * 0.02 * math.sqrt(2 / SEEDS)
    starred = holm(p_values(measured)) < LEVEL
    assert starred[:, 0].mean() > 0.9 and starred[:, 1:].any(axis=1).mean() < LEVEL


def test_other_windows_are_not_covered():
    """Searches that are equal over all text and unequal on these windows are called unequal."""
    measured = losses(np.random.default_rng(3), between_windows=0.05, problems=500)
    assert (p_values(measured) < LEVEL).mean() > 2 * LEVEL
