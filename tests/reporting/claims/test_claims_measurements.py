"""Tests over inference and the reconstruction study; files that are missing or broken."""

import numpy as np
import pytest
from judged import FAILS, HOLDS, NOISE, NOT_COMPARABLE, NOT_RUN, UNEQUAL, faster, judged, of_runs, within
from result_factory import curve, results_of, speed, strategy, study

from sparsitysolver.errors import SparsitySolverError


@pytest.mark.parametrize(("low", "high", "verdict"), [(1.1, 1.3, HOLDS), (0.9, 1.5, NOISE), ("", "", HOLDS)])
def test_pruned_against_dense_inference(results, low, high, verdict):
    built = results(inference=[speed("dense", 1, 1, 1), speed("ours", 1.2, low, high)])
    found = faster(built, "decode", method="ours", sparsity=0.2)
    assert (found.verdict, found.effect) == (verdict, pytest.approx(20))
    assert found.low is None if low == "" else found.low == pytest.approx(100 * (low - 1))
    assert faster(built, "decode", method="flap", sparsity=0.2).verdict is NOT_RUN


def test_pruned_against_pruned_inference_takes_the_far_ends(results):
    built = results(
        inference=[speed("ours", 1.2, 1.1, 1.3), speed("close", 1.1, 1.0, 1.2), speed("slow", 0.8, 0.7, 0.9)]
    )
    close = faster(built, "prefill", method="ours", sparsity=0.2, than="close")
    assert close.verdict is NOISE and close.low == pytest.approx(100 * (1.1 / 1.2 - 1))
    slow = faster(built, "prefill", method="ours", sparsity=0.2, than="slow")
    assert slow.verdict is HOLDS and slow.high == pytest.approx(100 * (1.3 / 0.7 - 1))
    assert faster(built, "prefill", method="slow", sparsity=0.2, than="ours").verdict is FAILS


def test_models_of_unequal_size_are_not_timed_against_each_other(results):
    """SliceGPT that keeps more is slower for it; the row of equal parameters is judged in its place."""
    ours, slice_gpt = speed("ours", 1.3, 1.2, 1.4), speed("slicegpt", 1.0, 0.9, 1.1)
    parts = [ours.assign(parameters=800), slice_gpt.assign(parameters=920)]
    asked = {"method": "ours", "phase": "decode", "sparsity": 0.2, "than": "slicegpt"}
    found = faster(results(inference=parts), **asked)
    assert found.verdict is UNEQUAL and found.effect is None and found.models == ("opt-tiny",)
    assert found.note == "not compared: opt-tiny: slicegpt and ours: unequal sparsity: 920 and 800 parameters"
    assert faster(results(inference=[parts[0], parts[1].assign(parameters=810)]), **asked).verdict is HOLDS
    parts.append(speed("slicegpt_matched", 1.5, 1.45, 1.55).assign(parameters=801))
    found = faster(results(inference=parts), **asked)
    assert found.verdict is FAILS and found.note.startswith("judged on slicegpt_matched too; not compared: ")


def test_every_setting_of_inference_must_be_faster(results):
    parts = [speed("ours", 1.2, 1.1, 1.3), speed("ours", 0.8, 0.7, 0.9, batch=8)]
    found = faster(results(inference=parts), "decode", method="ours", sparsity=0.2)
    assert (found.verdict, found.effect, found.low, found.n) == (FAILS, pytest.approx(0), None, 2)


def of_sparsities(**times):
    """Series over sparsities by modules: seconds per module at 10%, 20% and so on."""
    return [
        study({32: 20.0}, modules, sparsity=0.1 * (1 + place), seconds_per_module=seconds)
        for modules, of_series in times.items()
        for place, seconds in enumerate(of_series)
    ]


# One sample may be worse than none, and reconstructing nothing takes no time at any sparsity.
NONE = [study({0: 29.0}, sparsity=p, seconds_per_module=0.0) for p in (0.2, 0.3)]
GOOD, BAD = study({1: 30.0, 4: 28.0}), study({1: 30.0, 4: 31.0}, model="llama-tiny")
FFN = study({1: 1.0, 4: 2.0}, modules="ffn")
SAMPLES = {"along": "samples", "falls": True}
SECONDS = {"along": "sparsity", "falls": False}


@pytest.mark.parametrize(
    ("series", "measure", "fields", "verdict", "effect"),
    [
        ([study({1: 30.0, 4: 28.0, 16: 27.0}).iloc[::-1], FFN], "ppl", SAMPLES | {"modules": "mha"}, HOLDS, 10),
        ([study({1: 30.0, 4: 28.0, 16: 27.0}), FFN], "ppl", {**SAMPLES, "falls": False, "modules": "mha"}, FAILS, -10),
        ([study({1: 30.0, 4: 26.0, 16: 27.0})], "ppl", SAMPLES, NOISE, 10),  # not step by step
        ([study({1: 30.0, 4: 28.0, 16: 30.0})], "ppl", SAMPLES, FAILS, 0),
        ([study({1: 30.0})], "ppl", SAMPLES, NOT_RUN, None),
        ([GOOD, BAD], "ppl", SAMPLES, FAILS, None),
        ([GOOD, *NONE], "ppl", SAMPLES, HOLDS, None),
        ([*of_sparsities(mha=(10.0, 20.0, 40.0)), *NONE], "seconds_per_module", SECONDS, HOLDS, 300),
        (NONE, "seconds_per_module", SECONDS, NOT_RUN, None),
        # one series falls, two rise: -10%, 5% and 40%, whose interval over series holds zero
        (
            of_sparsities(mha=(10.0, 9.0), ffn=(10.0, 10.5), both=(10.0, 14.0)),
            *("seconds_per_module", SECONDS, NOISE, 35 / 3),
        ),
    ],
)
def test_every_series_goes_its_way(results, series, measure, fields, verdict, effect):
    found = judged(results(reconstruction=series), "monotone", measure, **fields)
    assert found.verdict is verdict
    assert effect is None or found.effect == pytest.approx(effect)
    if verdict is NOISE and measure != "ppl":
        assert found.low < 0 < found.high


def test_one_value_of_a_series_stands_once(results):
    assert judged(results(reconstruction=[GOOD, BAD]), "monotone", "ppl", **SAMPLES).models == (
        "opt-tiny",
        "llama-tiny",
    )
    with pytest.raises(SparsitySolverError, match=r"holds one value of samples twice for opt-tiny, mha, 0.3, 0"):
        judged(results(reconstruction=[GOOD, GOOD]), "monotone", "ppl", **SAMPLES)


@pytest.mark.parametrize(("measure", "high"), [("seconds_per_module", 20), ("hours_per_module", 2 * 20 / 3600)])
def test_time_of_reconstruction_is_that_of_all_gpus(results, measure, high):
    series = [study({32: 20.0}, sparsity=p, seconds_per_module=s, gpus=2) for p, s in ((0.2, 20.0), (0.3, 40.0))]
    built = results(reconstruction=series)
    asked = {"measure": measure, "modules": "mha", "samples": 32, "high": high}
    held = within(built, sparsity=0.2, **asked)
    assert (held.verdict, held.effect) == (HOLDS, pytest.approx(high))
    assert within(built, sparsity=0.3, **asked).verdict is FAILS
    assert within(built, sparsity=0.4, **asked).verdict is NOT_RUN


@pytest.mark.parametrize("gpus", [0, ""])
def test_time_of_reconstruction_without_a_gpu_says_nothing(results, gpus):
    built = results(reconstruction=[study({32: 20.0}, sparsity=0.2, gpus=gpus)])
    asked = {"measure": "seconds_per_module", "modules": "mha", "samples": 32, "sparsity": 0.2, "high": 120}
    found = within(built, **asked)
    assert found.verdict is NOT_COMPARABLE and "without a GPU" in found.note


def test_claims_on_missing_files_are_not_run(results):
    empty = results()
    found = [
        of_runs(empty, "converged", method="ppo", share=0.5, within=0.05),
        of_runs(empty, "middle", method="ours", sparsity=0.2),
        faster(empty, "decode", method="ours", sparsity=0.2),
        judged(empty, "monotone", "ppl", along="samples", falls=True),
        within(empty, "seconds_per_module", modules="mha", samples=32, sparsity=0.2),
    ]
    assert {judgement.verdict for judgement in found} == {NOT_RUN}


@pytest.mark.parametrize(
    ("kind", "column", "words"),
    [
        ("curves", "reward", r"curves.csv, line 2 \(opt-tiny × opt × ppo × 0.2 × 0 × 0\): reward is 'nan'"),
        ("strategies", "ratio", r"strategies.csv, line 2 \(.*layers.0.0\): ratio is 'nan'"),
        ("inference", "decode_speedup", r"inference.csv, line 2 .*: decode_speedup is 'nan'"),
        ("reconstruction", "ppl", r"reconstruction.csv, line 2 \(opt-tiny × 0.3 × mha × 1 × 0\): ppl is 'nan'"),
    ],
)
def test_a_number_that_is_not_finite_is_named(tmp_path, kind, column, words):
    frames = {
        "curves": curve("ppo", [1.0, 2.0]),
        "strategies": strategy("ours", [[0.6, 0.8], [0.9, 0.9]]),
        "inference": speed("ours", 1.2, 1.1, 1.3),
        "reconstruction": study({1: 2.0, 4: 1.0}),
    }
    broken = frames[kind].astype({column: object})
    broken.loc[broken.index[0], column] = "nan"
    with pytest.raises(SparsitySolverError, match=words):
        results_of(tmp_path, **{kind: [broken]})
    with pytest.raises(SparsitySolverError, match=f"{kind}.csv: column '{column}' is missing"):
        results_of(tmp_path, **{kind: [frames[kind].drop(columns=column)]})


def test_a_broken_candidate_is_no_broken_file(results):
    built = results(curves=[curve("ppo", [0.0, 1.0])])
    assert not np.isfinite(built.curves["ppl"]).all()
