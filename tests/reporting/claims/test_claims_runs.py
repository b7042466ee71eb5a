"""Tests over curves, strategies, inference and the reconstruction study: known answers on made-up files."""

import numpy as np
import pytest
from judged import of_runs, within
from result_factory import climb, curve, results_of

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.runs import over_runs
from sparsitysolver.reporting.compare.intervals import mean_interval
from sparsitysolver.reporting.compare.verdicts import Verdict

HOLDS, FAILS, NOISE = Verdict.HOLDS, Verdict.FAILS, Verdict.NOISE
NOT_RUN, NOT_COMPARABLE = Verdict.NOT_RUN, Verdict.NOT_COMPARABLE
MODELS = ("opt-tiny", "llama-tiny", "mistral-tiny")


@pytest.fixture
def results(tmp_path):
    return lambda **frames: results_of(tmp_path / "results", **frames)


def test_interval_of_runs_is_students():
    """Mean 2, standard deviation 1, n 3: 2 ± 4.303 / sqrt(3)."""
    assert mean_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert mean_interval([5.0]) == (None, None)
    assert mean_interval([5.0, 5.0]) == (5.0, 5.0)


@pytest.mark.parametrize(
    ("effects", "verdict"),
    [((9.0, 10.0, 11.0), HOLDS), ((-9.0, -10.0, -11.0), FAILS), ((1.0, 2.0, 3.0), NOISE), ((1.0,), HOLDS)],
)
def test_interval_of_runs_decides_and_a_single_run_goes_by_its_sign(effects, verdict):
    found = over_runs({("opt-tiny", seed): effect for seed, effect in enumerate(effects)}, "x")
    assert found.verdict is verdict and found.n == len(effects) and found.models == ("opt-tiny",)
    assert (found.low is None) == (len(effects) == 1) == ("single run" in found.note)
    opposite = found.opposite
    assert opposite.verdict is {HOLDS: FAILS, FAILS: HOLDS}.get(verdict, verdict)
    assert opposite.effect == -found.effect
    assert found.low is None or (opposite.low, opposite.high) == (-found.high, -found.low)


@pytest.mark.parametrize("measure", ["best_reward", "late_reward"])
def test_rewards_are_compared_run_by_run(results, measure):
    parts = [curve("ppo", [1.0, 2.0, 2.0], model) for model in MODELS]
    parts += [curve("amc", [1.0, 1.0, 1.0 + 0.01 * i], model) for i, model in enumerate(MODELS)]
    built = results(curves=parts)
    found = of_runs(built, measure, method="ppo", than="amc")
    assert found.verdict is HOLDS and found.n == 3
    assert found.effect == pytest.approx(100 * (2 - 1.01) / 2)
    assert of_runs(built, measure, method="amc", than="ppo").verdict is FAILS
    assert of_runs(built, "best_reward", method="agmc", than="ppo").verdict is NOT_RUN


def test_best_and_late_differ_where_a_search_ends_badly(results):
    built = results(curves=[curve("ppo", [1.0, 3.0, 1.0]), curve("amc", [2.0, 2.0, 2.0])])
    assert of_runs(built, "best_reward", method="ppo", than="amc").verdict is HOLDS
    assert of_runs(built, "late_reward", method="ppo", than="amc").verdict is FAILS


def test_seeds_that_disagree_are_noise_and_unshared_runs_are_left_out(results):
    parts = [curve("ppo", [1.0], seed=seed) for seed in range(5)]
    parts += [curve("amc", [reward], seed=seed) for seed, reward in enumerate([0.9, 1.2, 0.8])]
    found = of_runs(results(curves=parts), "best_reward", method="ppo", than="amc")
    assert found.verdict is NOISE and found.n == 3


@pytest.mark.parametrize(("at", "verdict"), [(150, HOLDS), (290, FAILS)])
def test_converges_early_or_late(results, at, verdict):
    """Linear until ``at``; the trailing mean over 15 episodes has 95% of its gain soon after 0.95 of that."""
    found = of_runs(
        results(curves=[curve("ppo", climb(0.9, 1.0, at, 300))]), "converged", method="ppo", share=0.667, within=0.05
    )
    settled = 300 * (0.667 - found.effect / 100)
    assert found.verdict is verdict
    assert 0.95 * at <= settled <= at + 15


def test_a_reward_that_does_not_rise_does_not_converge(results):
    flat = results(curves=[curve("amc", [0.5] * 60)])
    found = of_runs(flat, "converged", method="amc", share=0.667, within=0.05)
    assert (found.verdict, found.effect) == (FAILS, pytest.approx(66.7 - 100))
    assert of_runs(flat, "converged", method="ppo", share=0.667, within=0.05).verdict is NOT_RUN


def test_episodes_to_its_own_level_need_a_run_of_that_length(results):
    built = results(curves=[curve("ppo", climb(0.2, 1.0, 150, 300)), curve("amc", climb(0.2, 1.0, 280, 300))])
    asked = {"by": 200, "of": 300}
    assert of_runs(built, "converged_by", method="ppo", **asked).verdict is HOLDS
    assert of_runs(built, "converged_by", method="amc", **asked).verdict is FAILS
    short = of_runs(built, "converged_by", method="ppo", by=2000, of=3000)
    assert short.verdict is NOT_COMPARABLE and "runs of up to 300 episodes; the claim is about 3000" in short.note
    assert of_runs(built, "converged_by", method="agmc", **asked).verdict is NOT_RUN


def test_faster_to_the_lower_of_two_best_rewards(results):
    """Both are to reach 0.8: episode 10 against episode 40, or three quarters fewer."""
    one, other = [0.5] * 9 + [0.8] * 31 + [1.0] * 10, [0.5] * 39 + [0.8] * 11
    built = results(curves=[curve("ppo", one), curve("amc", other)])
    found = of_runs(built, "sooner", method="ppo", than="amc")
    assert (found.verdict, found.effect) == (HOLDS, pytest.approx(75))
    assert of_runs(built, "sooner", method="amc", than="ppo").verdict is FAILS


def test_oscillation_is_measured_late_and_broken_candidates_are_left_out(results):
    calm = [0.1, 2.0] * 30 + [1.0, 1.1] * 30
    wild = [1.0] * 80 + [0.5, 1.5, 0.0, 1.0] * 10
    built = results(curves=[curve("ppo", calm), curve("amc", wild)])
    found = of_runs(built, "late_swing", method="amc", than="ppo")
    expected = np.std(np.log([0.5, 1.5, 1.0])), np.log(1.1) / 2
    assert found.verdict is HOLDS
    assert found.effect == pytest.approx(100 * (1 - expected[1] / expected[0]))
    assert of_runs(built, "late_swing", method="ppo", than="amc").verdict is FAILS


def test_a_search_without_any_finite_perplexity_late_is_not_judged_by_its_swing(results):
    built = results(curves=[curve("ppo", [1.0, 0.5] * 30), curve("amc", [1.0] * 30 + [0.0] * 30)])
    assert of_runs(built, "late_swing", method="amc", than="ppo").verdict is NOT_RUN


def test_reward_rises_after_an_episode(results):
    dip_then_rise = [1.0 - 0.001 * i for i in range(50)] + [0.5 + 0.001 * i for i in range(100)]
    fall = [1.0 - 0.001 * i for i in range(150)]
    built = results(curves=[curve("ppo", dip_then_rise), curve("amc", fall), curve("agmc", [0.5] * 150)])
    found = of_runs(built, "rise", method="ppo", after=50, of=150)
    assert (found.verdict, found.effect) == (HOLDS, pytest.approx(1))
    assert of_runs(built, "rise", method="amc", after=50, of=150).verdict is FAILS
    assert of_runs(built, "rise", method="agmc", after=50, of=150).verdict is NOISE
    assert of_runs(built, "rise", method="ppo", after=500, of=3000).verdict is NOT_COMPARABLE


def test_overlap_of_late_strategies_in_proportion_to_the_run(results):
    """30 episodes: 0, 1999 and 2999 of 3000 are 0, 19 and 29; distances 3/4 early and 1/4 late, in one of two units."""
    kept = [[1, 8]] + [[4, 8]] * 28 + [[3, 8]]
    built = results(curves=[curve("ours", [1.0] * 30, kept=kept), curve("drift", [1.0] * 30, kept=kept[::-1])])
    found = of_runs(built, "overlap", method="ours", at=(0, 1999, 2999))
    assert (found.verdict, found.effect) == (HOLDS, pytest.approx(100 * (1 - 1 / 3)))
    assert of_runs(built, "overlap", method="drift", at=(0, 1999, 2999)).verdict is FAILS
    assert of_runs(built, "overlap", method="none", at=(0, 1999, 2999)).verdict is NOT_RUN


def test_final_reward_in_range(results):
    built = results(curves=[curve("ppo", climb(0.2, 1.5, 30, 60)), curve("amc", climb(0.2, 0.9, 30, 60))])
    inside = within(built, "final_reward", method="ppo", low=1, high=2)
    assert (inside.verdict, inside.effect) == (HOLDS, pytest.approx(1.5))
    outside = within(built, "final_reward", method="amc", low=1, high=2)
    assert outside.verdict is FAILS and "outside: opt-tiny 0.9" in outside.note


def test_two_searches_of_one_run_are_refused_and_a_sparsity_tells_them_apart(results):
    built = results(curves=[curve("ppo", [1.0]), curve("ppo", [2.0], sparsity=0.3), curve("amc", [1.5])])
    with pytest.raises(SparsitySolverError, match=r"several searches of ppo on opt-tiny, seed 0 \(sparsity 0.2, 0.3\)"):
        of_runs(built, "best_reward", method="ppo", than="amc")
    assert of_runs(built, "best_reward", method="ppo", than="amc", sparsity=0.2).verdict is FAILS
    alone = results(curves=[curve("ppo", [1.0]), curve("ppo", [9.0], task="boolq"), curve("amc", [1.5])])
    assert (
        of_runs(alone, "best_reward", method="ppo", than="amc").verdict is FAILS
    )  # a task's own search is another thing
