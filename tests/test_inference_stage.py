"""``bench inference`` and its table: records of real folders, and what users get wrong."""

import csv
import json
import math
import shutil

import numpy as np
import pytest
from commands import failure
from tiny import tiny_folder, tiny_ids

from sparsitysolver.cli import main
from sparsitysolver.records.columns import INFERENCE
from sparsitysolver.records.files import read_record, write_json

pytestmark = pytest.mark.filterwarnings("ignore")
MODEL = str(tiny_folder("llama"))
METHODS = {"uniform": "0.4", "slicegpt": "0.3", "svd_llm": "0.3", "wanda": "0.5"}
SMALL = ("--batch", "2", "--prompt-tokens", "8", "--new-tokens", "4", "--rounds", "3", "--device", "cpu")


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """A folder of pruned models, one a method, and of the record of them all."""
    folder = tmp_path_factory.mktemp("pruned")
    np.save(folder / "ids.npy", tiny_ids(8, 16))
    for method, sparsity in METHODS.items():
        command = ("prune", MODEL, "--method", method, "--out", str(folder / method), "--seed-index", "2")
        assert (
            main([*command, "--sparsity", sparsity, "--calibration", str(folder / "ids.npy"), "--device", "cpu"]) == 0
        )
    record = json.loads((folder / "uniform" / "pruning.json").read_text())  # of one that was not possible
    record |= {"status": "skipped", "reason": "too few heads", "label": "Hopeless"}
    write_json(folder / "hopeless" / "pruning.json", record)
    folders = [str(folder / name) for name in (*METHODS, "hopeless")]
    assert main(["bench", "inference", MODEL, *folders, *SMALL, "--out", str(folder / "record.json")]) == 0
    return folder


def test_the_record_says_what_was_measured(pruned):
    record = read_record(pruned / "record.json", "inference")
    dense, *others = record["models"]
    assert [entry["method"] for entry in record["models"]] == ["dense", *METHODS, "uniform"]
    origin = record["provenance"]
    assert (record["model"]["name"], origin["device"], origin["threads"]) == (tiny_folder("llama").name, "cpu", 1)
    protocol = record["protocol"]
    assert (protocol["batch"], protocol["prompt_tokens"], protocol["new_tokens"], protocol["rounds"]) == (2, 8, 4, 3)
    assert (protocol["dtype"], protocol["devices"]) == ("float32", 1)
    assert dense["speedup"]["decode"] == {"value": 1.0, "low": 1.0, "high": 1.0, "coverage": 1.0}
    # Four models were measured three times each, and the dense one beside each of them.
    assert len(dense["rounds"]["seconds"]["decode"]) == 12
    for entry in others[:-1]:
        assert (entry["status"], entry["seed"], entry["cache_check"]["different"]) == ("ok", 2, 0)
        for phase, tokens in (("prefill", 2 * 8), ("decode", 2 * 4)):
            seconds, beside = entry["rounds"]["seconds"][phase], entry["rounds"]["dense_seconds"][phase]
            assert entry[phase]["seconds"] == np.median(seconds) > 0
            assert entry[phase]["tokens_per_second"] == pytest.approx(tokens / np.median(seconds))
            ratios = np.divide(beside, seconds)
            speedup = entry["speedup"][phase]
            assert speedup["value"] == pytest.approx(np.median(ratios))
            assert (speedup["low"], speedup["high"]) == pytest.approx((ratios.min(), ratios.max()))
            assert speedup["coverage"] == 0.75
        size, whole = entry["size"], dense["size"]
        assert size["bytes"] == 4 * size["parameters"] < entry["peak_memory_bytes"]
        assert (size["parameters"] < whole["parameters"]) == (entry["label"] != "Wanda")
        assert size["nonzeros"] < whole["nonzeros"]
    assert (others[-1]["status"], others[-1]["reason"]) == ("skipped", "too few heads")


def test_collecting(pruned, tmp_path, capsys):
    capsys.readouterr()
    assert main(["report", "inference", str(pruned / "record.json"), "--out", str(tmp_path / "i.csv")]) == 0
    assert capsys.readouterr().out.strip().endswith("uniform at sparsity 0.4: too few heads")
    with (tmp_path / "i.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == tuple(INFERENCE.columns)
    assert [row["method"] for row in rows] == ["dense", "slicegpt", "svd_llm", "uniform", "wanda"]
    entry = read_record(pruned / "record.json", "inference")["models"][1]
    row = rows[3]
    told = [row[name] for name in ("label", "sparsity", "seed", "batch", "threads")]
    assert told == ["Uniform", "0.4", "2", "2", "1"]
    assert int(row["weight_bytes"]) == entry["size"]["bytes"] == 4 * int(row["parameters"])
    assert float(row["decode_speedup_low"]) == entry["speedup"]["decode"]["low"]
    assert float(row["prefill_tokens_per_second"]) == entry["prefill"]["tokens_per_second"]
    assert all(math.isfinite(float(row[name])) for row in rows for name in INFERENCE.numbers)
    assert rows[0]["prefill_speedup_high"] == "1.0"


def test_a_model_measured_twice_is_refused(pruned, tmp_path, capsys):
    shutil.copy(pruned / "record.json", tmp_path / "again.json")
    records = (pruned / "record.json", tmp_path / "again.json")
    error = failure(capsys, "report", "inference", *records, "--out", tmp_path / "i.csv")
    assert "two measurements of inference" in error and "method dense" in error
    assert not (tmp_path / "i.csv").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.nan, "models, entry 2, speedup, decode, high: should be greater than 0; found nan"),
        (math.inf, "models/1/speedup/decode/high is inf"),
    ],
)
def test_times_that_are_not_finite_are_refused(pruned, tmp_path, capsys, value, words):
    record = read_record(pruned / "record.json", "inference")
    record["models"][1]["speedup"]["decode"]["high"] = value
    write_json(tmp_path / "bad.json", record)
    assert words in failure(capsys, "report", "inference", tmp_path / "bad.json")


def test_the_dense_model_alone(tmp_path, capsys):
    capsys.readouterr()
    assert main(["bench", "inference", MODEL, *SMALL, "--json"]) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    (entry,) = record["models"]
    assert (entry["method"], len(entry["rounds"]["seconds"]["prefill"])) == ("dense", 3)
    assert not list(tmp_path.iterdir())


def test_pruned_models_of_other_or_no_origin(pruned, tmp_path, capsys):
    bench = ("bench", "inference")
    other = str(tiny_folder("llama", seed=1))
    error = failure(capsys, *bench, other, pruned / "uniform", *SMALL)
    assert "uniform was pruned from another dense model: llama-0 with weights" in error and "llama-1 with" in error
    assert f"{MODEL} was not written by prune" in failure(capsys, *bench, MODEL, MODEL, *SMALL)
    assert "uniform is pruned; MODEL is the dense model" in failure(capsys, *bench, pruned / "uniform", *SMALL)
    record = json.loads((pruned / "uniform" / "pruning.json").read_text())
    write_json(tmp_path / "same" / "pruning.json", record | {"method": "dense"})
    assert "same is the dense model again" in failure(capsys, *bench, MODEL, tmp_path / "same", *SMALL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--rounds 0", "0 rounds asked for; at least 1"),
        ("--batch 0", "batch 0 asked for"),
        ("--new-tokens 0", "new tokens 0"),
        ("--prompt-tokens 60 --new-tokens 5", "llama-0 takes at most 64 together"),
        ("--threads 0", "0 threads asked for"),
        ("--dtype float8", "unknown dtype"),
    ],
)
def test_wrong_options(options, words, capsys):
    assert words in failure(capsys, "bench", "inference", MODEL, *SMALL, *options.split())
