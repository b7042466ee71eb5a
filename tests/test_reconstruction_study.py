"""``study reconstruction`` and its table: against prune and evaluate, on trained weights, and what users get wrong."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
from commands import failure
from tiny import tiny_folder, tiny_ids, tiny_texts

from sparsitysolver.cli import main
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import RECONSTRUCTION
from sparsitysolver.records.files import identity, read_record, write_json
from sparsitysolver.stages.reconstruction_study import sample_numbers

pytestmark = pytest.mark.filterwarnings("ignore")
MODEL = str(tiny_folder("llama"))
STUDY = ("study", "reconstruction", MODEL, "--seqlen", "16", "--calibration", "ids.npy", "--device", "cpu")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder with an assets folder of tiny texts."""
    tiny_texts(tmp_path / "assets", 600)
    np.save(tmp_path / "ids.npy", tiny_ids(8, 16))
    np.save(tmp_path / "three.npy", tiny_ids(8, 16)[:3])
    monkeypatch.setenv("SPARSITYSOLVER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(*options):
    """The record of a study that must work."""
    assert main([*STUDY, "--out", "study.json", *map(str, options)]) == 0
    return read_record("study.json", "reconstruction")


def pruned_ppl(capsys, *options):
    """Perplexity of what prune writes with the same calibration, by evaluate."""
    assert main(["prune", MODEL, "--out", "out", "--sparsity", "0.3", "--calibration", "ids.npy", *options]) == 0
    capsys.readouterr()
    assert main(["evaluate", "out", "--seqlen", "16", "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["ppl"]


def points(record):
    """Perplexity by modules and samples."""
    return {(point["modules"], point["samples"]): point["ppl"]["value"] for point in record["points"]}


def test_it_gives_what_prune_and_evaluate_give(place, capsys):
    record = study("--samples", "1,3,8")
    found = points(record)
    assert list(found) == [(modules, samples) for samples in (1, 3, 8) for modules in ("mha", "ffn", "both")]
    assert len({round(ppl, 6) for ppl in found.values()}) == 9
    sliced = pruned_ppl(capsys, "--method", "uniform")
    assert record["sliced"]["value"] == pytest.approx(sliced, rel=1e-6)
    for samples, file in ((8, "ids.npy"), (3, "three.npy")):
        (place / "out" / "pruning.json").parent.rename(place / f"before-{samples}")
        whole = pruned_ppl(capsys, "--method", "uniform_recon", "--reconstruction-calibration", file)
        assert found["both", samples] == pytest.approx(whole, rel=1e-6)
        seconds = json.loads((place / "out" / "pruning.json").read_text())["run"]["module_seconds"]
        assert len(seconds) == 6 and all(value > 0 for value in seconds.values())
    assert main(["evaluate", MODEL, "--seqlen", "16", "--json"]) == 0
    dense = json.loads(capsys.readouterr().out.splitlines()[-1])["ppl"]
    assert record["dense"]["value"] == pytest.approx(dense, rel=1e-6)


def test_the_record_says_on_what_and_how_long():
    record = study("--samples", "2,4", "--seed", "3", "--windows", "5")
    assert (record["sparsity"], record["seed"], record["ridge"], record["criterion"]) == (0.3, 3, 0.9, "l2")
    assert record["strategy"]["found"] == {"algorithm": "uniform"}
    assert (record["reconstruction"]["nsamples"], record["reconstruction"]["tokens"]) == (4, 64)
    assert (record["fingerprint"]["split"], record["fingerprint"]["windows"]) == ("test", 5)
    assert [point["tokens"] for point in record["points"]] == [32] * 3 + [64] * 3
    for point, time in zip(record["points"], record["run"]["points"], strict=True):
        modules = {"mha": ["mha"], "ffn": ["ffn"], "both": ["mha", "ffn"]}[point["modules"]]
        assert (time["modules"], time["samples"]) == (point["modules"], point["samples"])
        assert set(time["module_seconds"]) == {f"layers.{layer}.{kind}" for layer in range(3) for kind in modules}
        assert time["seconds_per_module"] == np.median(list(time["module_seconds"].values())) > 0
        assert {f"seconds_per_{kind}" for kind in modules} == {
            k for k in time if k in ("seconds_per_mha", "seconds_per_ffn")
        }


def test_smaller_samples_are_the_first_windows_of_the_largest_and_a_seed_gives_the_same_record():
    options = ("--reconstruction-calibration", "wikitext2", "--seed", "1")
    first, second = (study("--samples", "2,6", *options) for _ in range(2))
    assert identity(first) == identity(second)
    assert points(first)["both", 2] == points(study("--samples", "2", *options))["both", 2]
    assert main(["study", "reconstruction", MODEL, "--seqlen", "16", "--samples", "2", "--out", "drawn.json"]) == 0
    assert read_record("drawn.json", "reconstruction")["reconstruction"]["source"] == "wikitext2"


def test_a_strategy_takes_the_place_of_uniform(capsys):
    uniform = study("--samples", "8")
    strategy = uniform["strategy"]
    for unit in strategy["units"]:
        unit["kept"] = unit["size"] // (2 if unit["name"].startswith("layers.0") else 1)
        unit["ratio"] = unit["kept"] / unit["size"]
    write_json("s.json", strategy)
    own = study("--samples", "8", "--strategy", "s.json")
    assert own["sliced"]["value"] != uniform["sliced"]["value"]
    ppl = pruned_ppl(capsys, "--method", "sparsitysolver_recon", "--strategy", "s.json")
    # prune reconstructs on a calibration file whole, as the study's largest number of samples does.
    assert points(own)["both", 8] == pytest.approx(ppl, rel=1e-6)
    other = (*STUDY, "--sparsity", "0.2", "--strategy", "s.json", "--out", "x.json")
    assert "was made for sparsity 0.3, not for 0.2" in failure(capsys, *other)
    of_pruned = ("study", "reconstruction", "out", *STUDY[3:], "--samples", "1", "--out", "x.json")
    assert "out is pruned already; study the dense model it came from" in failure(capsys, *of_pruned)


def test_more_samples_do_not_hurt_a_trained_model():
    command = ("study", "reconstruction", "llama-tiny", "--samples", "1,32", "--nsamples", "8", "--windows", "16")
    assert main([*command, "--out", "trained.json", "--device", "cpu"]) == 0
    record = read_record("trained.json", "reconstruction")
    assert record["fingerprint"]["dataset"] == "mini"
    found = points(record)
    for modules in ("mha", "ffn", "both"):
        assert found[modules, 32] < found[modules, 1]
        assert record["dense"]["value"] < found[modules, 32] < record["sliced"]["value"]
    assert found["both", 32] < min(found["mha", 32], found["ffn", 32])


def test_collecting(capsys):
    record = study("--samples", "1,2")
    assert main(["report", "reconstruction", "study.json", "--out", "r.csv"]) == 0
    rows = pd.read_csv("r.csv", dtype=str)
    assert list(rows.columns) == list(RECONSTRUCTION.columns)
    expected = [(modules, samples) for modules in ("both", "ffn", "mha") for samples in ("0", "1", "2")]
    assert list(zip(rows["modules"], rows["samples"], strict=True)) == expected
    without = rows[rows["samples"] == "0"][["ppl", "tokens", "seconds_per_module"]].drop_duplicates()
    assert without.to_numpy().tolist() == [[str(record["sliced"]["value"]), "0", "0.0"]]
    assert float(rows["ppl"][2]) == points(record)["both", 2]
    assert float(rows["seconds_per_module"][2]) == record["run"]["points"][-1]["seconds_per_module"]
    shutil.copy("study.json", "again.json")
    twice = ("report", "reconstruction", "study.json", "again.json")
    assert "two measurements of reconstruction" in failure(capsys, *twice)
    record["run"]["points"].pop()
    write_json("short.json", record)
    assert "short.json is not a whole study" in failure(capsys, "report", "reconstruction", "short.json")
    record["sliced"]["value"] = math.inf
    write_json("inf.json", record)
    assert "sliced/value is inf" in failure(capsys, "report", "reconstruction", "inf.json")


@pytest.mark.parametrize("text", ["", "0,1", "2,1", "1,1", "1,x", "-1", "1.5", "1,,2"])
def test_samples_that_are_no_ascending_numbers(text):
    with pytest.raises(SparsitySolverError, match="ascending numbers of at least 1 are needed"):
        sample_numbers(text)
    assert sample_numbers("1, 2,128") == [1, 2, 128]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--samples 4,16", "16 samples asked for; ids.npy holds 8 windows"),
        ("--samples 4,2", "ascending numbers"),
        ("--sparsity 1", "sparsity 1.0 asked for"),
        ("--task boolq", "task 'boolq' has no perplexity"),
        ("--task wikitext3", "wikitext3"),
        ("--split tset", "unknown split 'tset'"),
        ("--windows 0", "0 windows asked for"),
        ("--strategy none.json", "no strategy file at none.json"),
    ],
)
def test_wrong_options(options, words, capsys):
    assert words in failure(capsys, *STUDY, "--samples", "1", "--out", "x.json", *options.split())
