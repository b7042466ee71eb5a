"""Intervals of paired differences over windows and seeds: known answers, and how often they are wrong."""

import numpy as np
import pytest
from scipy import stats

from sparsitysolver.reporting.compare.intervals import difference_interval, seeds_of

TRIALS = 1000


def test_one_seed_gives_students_interval_over_windows():
    windows = np.random.default_rng(0).normal(0.3, 1.0, (1, 50))
    expected = stats.t.interval(0.95, 49, loc=windows.mean(), scale=stats.sem(windows[0]))
    assert difference_interval([windows]) == pytest.approx(expected)


def test_seeds_alone_give_students_interval_over_seeds():
    """Every window shows the same: means 1, 2 and 3, so 2 ± 4.303 / sqrt(3)."""
    of_seeds = np.repeat([[1.0], [2.0], [3.0]], 20, axis=1)
    assert difference_interval([of_seeds]) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)


def test_both_parts_widen_the_interval_and_nothing_that_varies_has_no_width():
    rng = np.random.default_rng(1)
    both = rng.normal(0, 1, (3, 1)) + rng.normal(0, 5, (1, 100))
    width = np.ptp(difference_interval([both]))
    windows = np.ptp(difference_interval([both.mean(axis=0, keepdims=True)]))
    seeds = np.ptp(difference_interval([np.repeat(both.mean(axis=1, keepdims=True), 100, axis=1)]))
    assert width == pytest.approx(np.hypot(windows, seeds)) and width > max(windows, seeds)
    assert difference_interval([np.full((3, 4), 0.5), np.full((3, 9), 0.7)]) == pytest.approx((0.6, 0.6))


def test_strata_have_equal_weights_and_one_number_of_seeds():
    few, many = np.array([[1.0, 1.0, 2.0, 2.0]]), np.array([[0.0, 1.0] * 100])
    low, high = difference_interval([few, many])
    assert (low + high) / 2 == pytest.approx((1.5 + 0.5) / 2)
    assert seeds_of([few, many]) == 1 and seeds_of([np.ones((3, 4)), np.ones((3, 9))]) == 3
    assert seeds_of([np.ones((3, 4)), np.ones((2, 4))]) == 1  # which seeds would be one another's is not known


def _false_positives(seeds: int, of_seeds: float, of_windows: float, of_both: float, strata: int = 1) -> float:
    """How often the interval of a true difference of zero leaves zero out; the three are standard deviations."""
    rng, windows = np.random.default_rng([seeds, strata, int(10 * of_seeds)]), 60
    wrong = 0
    for _ in range(TRIALS):
        shared = rng.normal(0, of_seeds, (seeds, 1))
        parts = [
            shared + rng.normal(0, of_windows, (1, windows)) + rng.normal(0, of_both, (seeds, windows))
            for _ in range(strata)
        ]
        low, high = difference_interval(parts)
        wrong += not low <= 0 <= high
    return wrong / TRIALS


@pytest.mark.parametrize(
    ("seeds", "of_seeds", "of_windows", "of_both"),
    [
        (3, 0.0, 1.0, 0.5),
        (2, 0.05, 1.0, 0.5),
        (2, 0.2, 1.0, 0.5),
        (5, 0.2, 1.0, 0.5),
        (3, 1.0, 1.0, 0.5),
        (2, 1.0, 0, 0.1),
    ],
)
def test_at_most_one_of_twenty_true_zeros_is_called_a_difference(seeds, of_seeds, of_windows, of_both):
    """Stated in docs/protocol.md: 5% at most, whichever of the two parts counts; 1000 trials are within 2 points."""
    assert _false_positives(seeds, of_seeds, of_windows, of_both) <= 0.07


def test_windows_alone_would_call_most_true_zeros_of_noisy_seeds_a_difference():
    """What an interval over windows says where seeds move the mean more than windows do: too much."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(TRIALS):
        differences = rng.normal(0, 0.5, (3, 1)) + rng.normal(0, 1.0, (1, 60))
        low, high = difference_interval([differences.mean(axis=0, keepdims=True)])
        wrong += not low <= 0 <= high
    assert wrong / TRIALS > 0.3
    assert _false_positives(3, 0.5, 1.0, 0.0) <= 0.07


def test_models_that_share_their_seeds_noise_are_no_independent_evidence():
    assert _false_positives(3, 1.0, 0.1, 0.1, strata=3) <= 0.07
