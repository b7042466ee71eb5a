"""A search that starts with another's agent, measured against one from scratch at the same sparsity."""

import numpy as np
import pytest
from judged import of_runs, within
from result_factory import curve, results_of

from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.tables.measured import episodes_to

HOLDS, FAILS, NOT_RUN = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_RUN
NOT_COMPARABLE = Verdict.NOT_COMPARABLE
ASKED = {"method": "reuse", "than": "scratch", "sparsity": 0.3}


@pytest.fixture
def results(tmp_path):
    return lambda *curves: results_of(tmp_path / "results", curves=curves)


def search(method, *steps, **fields):
    """A search at 30% whose reward goes up in steps of (episodes, perplexity)."""
    rewards = [10 / ppl for count, ppl in steps for _ in range(count)]
    return curve(method, rewards, **{"sparsity": 0.3, **fields})


SCRATCH = search("scratch", (500, 12.0), (100, 10.0))


def test_good_is_within_one_percent_of_what_a_search_from_scratch_finds(results):
    """10.1 is within 1% of 10, 10.2 is not; the search from scratch takes 501 episodes to it."""
    built = results(SCRATCH, search("reuse", (99, 10.2), (201, 10.1)))
    found = of_runs(built, "good_by", **ASKED, by=135)
    assert (found.verdict, found.effect) == (HOLDS, 35)  # the hundredth
    assert of_runs(built, "good_by", **ASKED, by=99).verdict is FAILS
    sooner = of_runs(built, "good_sooner", **ASKED)
    assert (sooner.verdict, sooner.effect) == (HOLDS, pytest.approx(100 * (1 - 100 / 501)))


def test_a_search_that_is_never_good_fails_whatever_its_own_best_is(results):
    built = results(SCRATCH, search("reuse", (300, 10.2)))
    assert episodes_to([10.2] * 300) == 1  # by its own best at once
    found = of_runs(built, "good_by", **ASKED, by=135)
    assert (found.verdict, found.effect) == (FAILS, 135 - 301)
    assert of_runs(built, "good_sooner", **ASKED).effect == -100


def test_random_candidates_are_not_good_soon(results):
    """Better than uniform pruning nearly at once, as plain random search is, and far from what a search finds."""
    rng = np.random.default_rng(0)
    random = curve("reuse", (10 / rng.uniform(10.6, 14, 300)).tolist(), sparsity=0.3)
    built = results(SCRATCH, random)
    assert of_runs(built, "good_by", **ASKED, by=135).verdict is FAILS
    assert of_runs(built, "good_sooner", **ASKED).verdict is FAILS


def test_later_than_the_search_from_scratch_fails(results):
    built = results(search("scratch", (99, 12.0), (501, 10.0)), search("reuse", (199, 12.0), (101, 10.0)))
    found = of_runs(built, "good_sooner", **ASKED)
    assert (found.verdict, found.effect) == (FAILS, -50)


@pytest.mark.parametrize(
    ("scratch", "words"),
    [
        (search("scratch", (299, 10.0)), "the search from scratch has 299 episodes, fewer than 300"),
        (search("scratch", (400, 10.0), dense_ppl=2.1), "the two searches were rewarded on different windows"),
        (search("scratch", (400, 10.0)).assign(ppl=""), "the search from scratch found no finite perplexity"),
    ],
)
def test_what_cannot_be_measured_against_each_other_is_not(results, scratch, words):
    built = results(scratch, search("reuse", (300, 10.0)))
    found = of_runs(built, "good_by", **ASKED, by=135)
    assert (found.verdict, found.note) == (NOT_COMPARABLE, words)


def test_another_sparsity_or_a_short_run_is_no_answer(results):
    first = curve("scratch", [1.0] * 600, sparsity=0.2)
    assert of_runs(results(first, search("reuse", (300, 10.0))), "good_sooner", **ASKED).verdict is NOT_RUN
    short = of_runs(results(SCRATCH, search("reuse", (100, 10.0))), "good_by", **ASKED, by=135)
    assert (short.verdict, short.note) == (NOT_COMPARABLE, "a run of 100 episodes; the claim is about 135")


def test_gpu_hours_until_good_times_gpus(results):
    """Half a second an episode: 100 episodes on two GPUs take 100 GPU seconds; the other 200 do not count."""
    built = results(SCRATCH, search("reuse", (99, 12.0), (201, 10.0), gpus=2))
    found = within(built, "hours_until_good", **ASKED, high=100 / 3600)
    assert (found.verdict, found.effect, found.unit) == (HOLDS, pytest.approx(100 / 3600), "GPU hours")
    assert within(built, "hours_until_good", **ASKED, high=99 / 3600).verdict is FAILS
    never = within(results(SCRATCH, search("reuse", (300, 12.0), gpus=2)), "hours_until_good", **ASKED, high=2)
    assert never.verdict is FAILS and "never as good as the search from scratch: opt-tiny" in never.note


@pytest.mark.parametrize("gpus", [0, ""])
def test_gpu_hours_without_a_gpu_say_nothing(results, gpus):
    found = within(results(SCRATCH, search("reuse", (300, 10.0), gpus=gpus)), "hours_until_good", **ASKED, high=2)
    assert found.verdict is NOT_COMPARABLE and "searched without a GPU" in found.note
