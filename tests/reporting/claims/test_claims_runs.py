"""Tests over curves and strategies: known answers on made-up runs, and searches that start with another's agent."""

import numpy as np
import pytest
from judged import FAILS, HOLDS, NOISE, NOT_COMPARABLE, NOT_RUN, of_runs, within
from result_factory import climb, curve, strategy

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.runs import over_runs
from sparsitysolver.reporting.compare.intervals import mean_interval
from sparsitysolver.reporting.tables.measured import episodes_to

MODELS = ("opt-tiny", "llama-tiny", "mistral-tiny")
PPO_AMC = {"method": "ppo", "than": "amc"}
AMC_PPO = {"method": "amc", "than": "ppo"}
SETTLED = {"share": 0.667, "within": 0.05}


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


ENDS_BADLY = {"ppo": [1.0, 3.0, 1.0], "amc": [2.0, 2.0, 2.0]}
# Both are to reach 0.8: episode 10 against episode 40, or three quarters fewer.
TO_COMMON = {"ppo": [0.5] * 9 + [0.8] * 31 + [1.0] * 10, "amc": [0.5] * 39 + [0.8] * 11}
FLAT = {"amc": [0.5] * 60}
SWINGS = {"ppo": [0.1, 2.0] * 30 + [1.0, 1.1] * 30, "amc": [1.0] * 80 + [0.5, 1.5, 0.0, 1.0] * 10}
SWING = 100 * (1 - np.log(1.1) / 2 / np.std(np.log([0.5, 1.5, 1.0])))  # the broken candidate is left out
ALL_BROKEN = {"ppo": [1.0, 0.5] * 30, "amc": [1.0] * 30 + [0.0] * 30}
CLIMBS = {"ppo": climb(0.2, 1.0, 150, 300), "amc": climb(0.2, 1.0, 280, 300)}
RISES = {
    "ppo": [1.0 - 0.001 * i for i in range(50)] + [0.5 + 0.001 * i for i in range(100)],
    "amc": [1.0 - 0.001 * i for i in range(150)],
    "agmc": [0.5] * 150,
}


@pytest.mark.parametrize(
    ("searches", "measure", "fields", "verdict", "effect"),
    [
        (ENDS_BADLY, "best_reward", PPO_AMC, HOLDS, None),
        (ENDS_BADLY, "late_reward", PPO_AMC, FAILS, None),
        (ENDS_BADLY, "best_reward", {"method": "agmc", "than": "ppo"}, NOT_RUN, None),
        (TO_COMMON, "sooner", PPO_AMC, HOLDS, 75),
        (TO_COMMON, "sooner", AMC_PPO, FAILS, None),
        (FLAT, "converged", SETTLED | {"method": "amc"}, FAILS, 66.7 - 100),  # never rises, never converges
        (FLAT, "converged", SETTLED | {"method": "ppo"}, NOT_RUN, None),
        (SWINGS, "late_swing", AMC_PPO, HOLDS, SWING),
        (SWINGS, "late_swing", PPO_AMC, FAILS, None),
        (ALL_BROKEN, "late_swing", AMC_PPO, NOT_RUN, None),  # no finite perplexity late
        (CLIMBS, "converged_by", {"method": "ppo", "by": 200, "of": 300}, HOLDS, None),
        (CLIMBS, "converged_by", {"method": "amc", "by": 200, "of": 300}, FAILS, None),
        (CLIMBS, "converged_by", {"method": "agmc", "by": 200, "of": 300}, NOT_RUN, None),
        (RISES, "rise", {"method": "ppo", "after": 50, "of": 150}, HOLDS, 1),
        (RISES, "rise", {"method": "amc", "after": 50, "of": 150}, FAILS, None),
        (RISES, "rise", {"method": "agmc", "after": 50, "of": 150}, NOISE, None),
        (RISES, "rise", {"method": "ppo", "after": 500, "of": 3000}, NOT_COMPARABLE, None),
    ],
)
def test_measures_of_searches(results, searches, measure, fields, verdict, effect):
    built = results(curves=[curve(method, rewards) for method, rewards in searches.items()])
    found = of_runs(built, measure, **fields)
    assert found.verdict is verdict
    assert effect is None or found.effect == pytest.approx(effect)


@pytest.mark.parametrize("measure", ["best_reward", "late_reward"])
def test_rewards_are_compared_run_by_run(results, measure):
    parts = [curve("ppo", [1.0, 2.0, 2.0], model) for model in MODELS]
    parts += [curve("amc", [1.0, 1.0, 1.0 + 0.01 * i], model) for i, model in enumerate(MODELS)]
    built = results(curves=parts)
    found = of_runs(built, measure, **PPO_AMC)
    assert (found.verdict, found.n, found.effect) == (HOLDS, 3, pytest.approx(100 * (2 - 1.01) / 2))
    assert of_runs(built, measure, **AMC_PPO).verdict is FAILS


def test_seeds_that_disagree_are_noise_and_unshared_runs_are_left_out(results):
    parts = [curve("ppo", [1.0], seed=seed) for seed in range(5)]
    parts += [curve("amc", [reward], seed=seed) for seed, reward in enumerate([0.9, 1.2, 0.8])]
    found = of_runs(results(curves=parts), "best_reward", **PPO_AMC)
    assert found.verdict is NOISE and found.n == 3


@pytest.mark.parametrize(("at", "verdict"), [(150, HOLDS), (290, FAILS)])
def test_converges_early_or_late(results, at, verdict):
    """Linear until ``at``; the trailing mean over 15 episodes has 95% of its gain soon after 0.95 of that."""
    found = of_runs(results(curves=[curve("ppo", climb(0.9, 1.0, at, 300))]), "converged", method="ppo", **SETTLED)
    assert found.verdict is verdict
    assert 0.95 * at <= 300 * (0.667 - found.effect / 100) <= at + 15


def test_episodes_to_its_own_level_need_a_run_of_that_length(results):
    short = of_runs(results(curves=[curve("ppo", CLIMBS["ppo"])]), "converged_by", method="ppo", by=2000, of=3000)
    assert short.verdict is NOT_COMPARABLE and "runs of up to 300 episodes; the claim is about 3000" in short.note


def test_overlap_of_late_strategies_in_proportion_to_the_run(results):
    """30 episodes: 0, 1999 and 2999 of 3000 are 0, 19 and 29; distances 3/4 early and 1/4 late, in one of two units."""
    kept = [[1, 8]] + [[4, 8]] * 28 + [[3, 8]]
    built = results(curves=[curve("ours", [1.0] * 30, kept=kept), curve("drift", [1.0] * 30, kept=kept[::-1])])
    found = of_runs(built, "overlap", method="ours", at=(0, 1999, 2999))
    assert (found.verdict, found.effect) == (HOLDS, pytest.approx(100 * (1 - 1 / 3)))
    assert of_runs(built, "overlap", method="drift", at=(0, 1999, 2999)).verdict is FAILS


def test_final_reward_in_range(results):
    built = results(curves=[curve("ppo", climb(0.2, 1.5, 30, 60)), curve("amc", climb(0.2, 0.9, 30, 60))])
    inside = within(built, "final_reward", method="ppo", low=1, high=2)
    assert (inside.verdict, inside.effect) == (HOLDS, pytest.approx(1.5))
    outside = within(built, "final_reward", method="amc", low=1, high=2)
    assert outside.verdict is FAILS and "outside: opt-tiny 0.9" in outside.note


def test_two_searches_of_one_run_are_refused_and_a_sparsity_tells_them_apart(results):
    built = results(curves=[curve("ppo", [1.0]), curve("ppo", [2.0], sparsity=0.3), curve("amc", [1.5])])
    with pytest.raises(SparsitySolverError, match=r"several searches of ppo on opt-tiny, seed 0 \(sparsity 0.2, 0.3\)"):
        of_runs(built, "best_reward", **PPO_AMC)
    assert of_runs(built, "best_reward", **PPO_AMC, sparsity=0.2).verdict is FAILS
    of_task = results(curves=[curve("ppo", [1.0]), curve("ppo", [9.0], task="boolq"), curve("amc", [1.5])])
    assert of_runs(of_task, "best_reward", **PPO_AMC).verdict is FAILS  # a task's own search is another thing


# --- strategies -------------------------------------------------------------------------------------------------------

HUMP = [[0.6, 0.8], [0.9, 0.9], [0.9, 1.0], [0.7, 0.7]]  # layers keep 0.7, 0.9, 0.95 and 0.7
STRATEGIES = {
    "hump": HUMP,
    "valley": [HUMP[1], HUMP[0], HUMP[3], HUMP[2]],
    "ramp": [[0.2], [0.4], [0.6], [0.8]],
    "two": [[0.5], [0.6]],
    "even": [[0.8, 0.8], [0.2, 0.2]],
}


@pytest.mark.parametrize(
    ("measure", "fields", "verdict", "effect"),
    [
        ("middle", {"method": "hump"}, HOLDS, 22.5),
        ("middle", {"method": "valley"}, FAILS, None),
        ("middle", {"method": "hump", "sparsity": 0.3}, NOT_RUN, None),
        ("middle", {"method": "ramp", "outer": "front"}, HOLDS, 30),
        ("middle", {"method": "ramp", "outer": "back"}, FAILS, -30),
        ("middle", {"method": "two"}, NOT_RUN, None),  # no middle
        ("variety", {"method": "hump", "than": "even"}, HOLDS, 100 * (0.1 + 0 + 0.05 + 0) / 4),
        ("variety", {"method": "even", "than": "hump"}, FAILS, None),
    ],
)
def test_measures_of_strategies(results, measure, fields, verdict, effect):
    built = results(strategies=[strategy(method, ratios) for method, ratios in STRATEGIES.items()])
    found = of_runs(built, measure, **{"sparsity": 0.2} | fields)
    assert found.verdict is verdict
    assert effect is None or found.effect == pytest.approx(effect)


def test_seeds_of_strategies_must_agree_and_one_stands_once(results):
    seeds = [strategy("ours", HUMP, seed=0), strategy("ours", [*HUMP[1:], HUMP[0]], seed=1)]
    assert of_runs(results(strategies=seeds), "middle", method="ours", sparsity=0.2).verdict is NOISE
    with pytest.raises(SparsitySolverError, match=r"several strategies of ours on opt-tiny, seed 0 \(sparsity 0.2\)"):
        of_runs(results(strategies=[strategy("ours", HUMP)] * 2), "middle", method="ours", sparsity=0.2)


# --- searches that start with another's agent, against one from scratch at the same sparsity --------------------------

ASKED = {"method": "reuse", "than": "scratch", "sparsity": 0.3}


def search(method, *steps, **fields):
    """A search at 30% whose reward goes up in steps of (episodes, perplexity)."""
    rewards = [10 / ppl for count, ppl in steps for _ in range(count)]
    return curve(method, rewards, **{"sparsity": 0.3, **fields})


SCRATCH = search("scratch", (500, 12.0), (100, 10.0))
# Better than uniform pruning nearly at once, as plain random search is, and far from what a search finds.
RANDOM = curve("reuse", (10 / np.random.default_rng(0).uniform(10.6, 14, 300)).tolist(), sparsity=0.3)


@pytest.mark.parametrize(
    ("curves", "measure", "fields", "verdict", "effect"),
    [  # 10.1 is within 1% of 10, 10.2 is not; the search from scratch takes 501 episodes to it
        ((SCRATCH, search("reuse", (99, 10.2), (201, 10.1))), "good_by", {"by": 135}, HOLDS, 35),  # the hundredth
        ((SCRATCH, search("reuse", (99, 10.2), (201, 10.1))), "good_by", {"by": 99}, FAILS, None),
        ((SCRATCH, search("reuse", (99, 10.2), (201, 10.1))), "good_sooner", {}, HOLDS, 100 * (1 - 100 / 501)),
        ((SCRATCH, search("reuse", (300, 10.2))), "good_by", {"by": 135}, FAILS, 135 - 301),  # never good
        ((SCRATCH, search("reuse", (300, 10.2))), "good_sooner", {}, FAILS, -100),
        ((SCRATCH, RANDOM), "good_by", {"by": 135}, FAILS, None),
        ((SCRATCH, RANDOM), "good_sooner", {}, FAILS, None),
        (
            (search("scratch", (99, 12.0), (501, 10.0)), search("reuse", (199, 12.0), (101, 10.0))),
            *("good_sooner", {}, FAILS, -50),
        ),
        (
            (curve("scratch", [1.0] * 600, sparsity=0.2), search("reuse", (300, 10.0))),  # of another sparsity
            *("good_sooner", {}, NOT_RUN, None),
        ),
    ],
)
def test_good_is_within_one_percent_of_what_a_search_from_scratch_finds(
    results, curves, measure, fields, verdict, effect
):
    assert episodes_to([10.2] * 300) == 1  # by its own best at once
    found = of_runs(results(curves=curves), measure, **ASKED, **fields)
    assert found.verdict is verdict
    assert effect is None or found.effect == pytest.approx(effect)


@pytest.mark.parametrize(
    ("scratch", "episodes", "words"),
    [
        (search("scratch", (299, 10.0)), 300, "the search from scratch has 299 episodes, fewer than 300"),
        (search("scratch", (400, 10.0), dense_ppl=2.1), 300, "the two searches were rewarded on different windows"),
        (search("scratch", (400, 10.0)).assign(ppl=""), 300, "the search from scratch found no finite perplexity"),
        (SCRATCH, 100, "a run of 100 episodes; the claim is about 135"),
    ],
)
def test_what_cannot_be_measured_against_each_other_is_not(results, scratch, episodes, words):
    found = of_runs(results(curves=[scratch, search("reuse", (episodes, 10.0))]), "good_by", **ASKED, by=135)
    assert (found.verdict, found.note) == (NOT_COMPARABLE, words)


def test_gpu_hours_until_good_times_gpus(results):
    """Half a second an episode: 100 episodes on two GPUs take 100 GPU seconds; the other 200 do not count."""
    built = results(curves=[SCRATCH, search("reuse", (99, 12.0), (201, 10.0), gpus=2)])
    found = within(built, "hours_until_good", **ASKED, high=100 / 3600)
    assert (found.verdict, found.effect, found.unit) == (HOLDS, pytest.approx(100 / 3600), "GPU hours")
    assert within(built, "hours_until_good", **ASKED, high=99 / 3600).verdict is FAILS
    built = results(curves=[SCRATCH, search("reuse", (300, 12.0), gpus=2)])
    never = within(built, "hours_until_good", **ASKED, high=2)
    assert never.verdict is FAILS and "never as good as the search from scratch: opt-tiny" in never.note


@pytest.mark.parametrize("gpus", [0, ""])
def test_gpu_hours_without_a_gpu_say_nothing(results, gpus):
    built = results(curves=[SCRATCH, search("reuse", (300, 10.0), gpus=gpus)])
    found = within(built, "hours_until_good", **ASKED, high=2)
    assert found.verdict is NOT_COMPARABLE and "searched without a GPU" in found.note
