"""The transfer matrix: scores against prune and evaluate, the table, the plan, and what users get wrong."""

import functools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import failure
from test_snakefile import checkout, planned, snakemake  # noqa: F401 - a fixture
from tiny import tiny_folder, tiny_ids, tiny_texts

from sparsitysolver.cli import main
from sparsitysolver.models.loading import load_model
from sparsitysolver.plans import transfer as transfer_plan
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Grid
from sparsitysolver.pruning.strategy import make_strategy
from sparsitysolver.pruning.units import structured_units, uniform_counts
from sparsitysolver.records.columns import TRANSFER
from sparsitysolver.records.files import identity, read_record, write_json

pytestmark = pytest.mark.filterwarnings("ignore")
TINY = ("opt-tiny", "llama-tiny")
LLAMA, OPT = str(tiny_folder("llama")), str(tiny_folder("opt"))
OPTIONS = ("--sparsity", "0.3", "--calibration", "ids.npy", "--seqlen", "16", "--device", "cpu")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder with tiny texts, windows, and a strategy of each of two models."""
    tiny_texts(tmp_path / "assets", 600)
    monkeypatch.setenv("SPARSITYSOLVER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.chdir(tmp_path)
    np.save("ids.npy", tiny_ids(8, 16))
    strategy(LLAMA, [4, 30, 2, 30, 3, 24], "llama.json")
    strategy(OPT, [4, 48, 2, 20, 3, 30], "opt.json")
    return tmp_path


def strategy(model, kept, path, sparsity=0.3):
    loaded = load_model(model, "cpu")
    record = {"name": loaded.source.name, "family": loaded.adapter.shape.family}
    record |= {"weights_sha256": loaded.weights_sha256}
    units = structured_units(loaded.adapter.shape)
    write_json(path, make_strategy(units, kept, sparsity, record, {"algorithm": "ppo"}, 3, seen=[]))


def study(model, out="study.json", *options):
    command = ("study", "transfer", model, "llama.json", "opt.json", *OPTIONS, *options, "--out", out)
    assert main(list(command)) == 0
    return read_record(out, "transfer")


def evaluated(capsys, model):
    capsys.readouterr()
    assert main(["evaluate", model, "--seqlen", "16", "--json", "--device", "cpu"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["ppl"]


def test_scores_are_those_of_prune_and_evaluate(capsys):
    scores = {score["strategy"]: score for score in study(LLAMA)["scores"]}
    assert [score["kind"] for score in scores.values()] == ["dense", "uniform", "own", "transferred"]
    assert main(["strategy", "transfer", "opt.json", LLAMA, "--out", "moved.json"]) == 0
    moved = read_record("moved.json", "strategy")
    assert scores["opt-0"]["kept"] == [unit["kept"] for unit in moved["units"]]
    assert scores["llama-0"]["kept"] == [4, 30, 2, 30, 3, 24]
    assert scores["uniform"]["kept"] == uniform_counts(structured_units(load_model(LLAMA).adapter.shape), 0.3)
    assert scores["dense"]["ppl"]["value"] == pytest.approx(evaluated(capsys, LLAMA), rel=1e-5)
    for path, name in (("llama.json", "llama-0"), ("moved.json", "opt-0")):
        command = ("prune", LLAMA, "--method", "sparsitysolver", "--strategy", path, "--out", name)
        assert main([*command, "--sparsity", "0.3", "--calibration", "ids.npy", "--device", "cpu"]) == 0
        assert scores[name]["ppl"]["value"] == pytest.approx(evaluated(capsys, name), rel=1e-5)
        assert scores[name]["ppl"]["value"] == pytest.approx(math.exp(np.mean(scores[name]["windows"])), rel=1e-6)
    assert identity(study(LLAMA, "again.json")) == identity(read_record("study.json", "transfer"))


def matrix(*records):
    """Rows of the table by model and strategy, and its page."""
    assert main(["report", "transfer", *records, "--out", "transfer.csv"]) == 0
    rows = pd.read_csv("transfer.csv", keep_default_na=False, dtype=str).set_index(["model", "strategy"], drop=False)
    assert list(rows.columns) == list(TRANSFER.columns)
    return rows, Path("transfer.md").read_text()


def words_of(row, own):
    """Why a row may not be compared with the own strategy's."""
    figures = " and ".join(f"{float(share):.1%}" for share in (row["achieved_sparsity"], own))
    return f"unequal sparsity: {figures} of the prunable weights removed"


def test_the_matrix():
    for model in ("llama", "opt"):
        study(str(tiny_folder(model)), f"{model}.study.json")
    rows, page = matrix("opt.study.json", "llama.study.json")
    assert len(rows) == 8
    for _, row in rows.iterrows():
        assert (row["split"], row["sparsity"], row["key"]) == ("test", "0.3", f"{row['model'][:-2]}.study")
        own = rows.loc[(row["model"], row["model"])]
        if abs(float(row["achieved_sparsity"]) - float(own["achieved_sparsity"])) > 0.01:
            assert row["not_compared"] == words_of(row, own["achieved_sparsity"])
            assert set(row[["ratio_to_own", "ratio_low", "ratio_high"]]) == {""}
            continue
        ratio = float(row["ppl"]) / float(own["ppl"])
        assert row["not_compared"] == "" and float(row["ratio_to_own"]) == pytest.approx(ratio)
        assert float(row["ratio_low"]) <= ratio * (1 + 1e-6) and ratio <= float(row["ratio_high"]) * (1 + 1e-6)
    assert set(rows["kind"][rows["not_compared"] != ""]) >= {"dense", "transferred"}
    assert set(rows["kind"][rows["not_compared"] == ""]) == {"own", "uniform", "transferred"}
    heads = [line for line in page.splitlines() if line.startswith("| Model")]
    columns = [[cell.strip() for cell in head.split("|")[1:-1]] for head in heads]
    assert columns == [["Model", "opt-0", "llama-0", "Uniform", "Dense"], ["Model", "opt-0", "llama-0", "Uniform"]]
    assert f"{float(rows.loc[('opt-0', 'llama-0'), 'ppl']):.2f}" in page and page.count("| opt-0 ") >= 2
    record = json.loads(Path("opt.study.json").read_text())  # another share of one candidate: no ratio on the page
    (uniform,) = (score for score in record["scores"] if score["kind"] == "uniform")
    own = rows.loc[("opt-0", "opt-0"), "achieved_sparsity"]
    uniform["achieved_sparsity"] = float(own) + 0.02
    write_json("opt.study.json", record)
    rows, page = matrix("opt.study.json")
    words = words_of(uniform, own)
    assert list(rows["not_compared"].loc["opt-0"].loc[["uniform", "opt-0"]]) == [words, ""]
    ratios = page.split("The same as a ratio")[1]
    assert words in ratios and "Dense" not in ratios


def test_one_matrix_is_of_one_protocol(capsys):
    study(LLAMA, "one.json")
    study(OPT, "other.json", "--split", "validation")
    assert "one.json of (0.3, 'wikitext2', 'test')" in failure(capsys, "report", "transfer", "one.json", "other.json")
    shutil.copy("one.json", "copy.json")
    assert "two measurements of transfer" in failure(capsys, "report", "transfer", "one.json", "copy.json")


def test_what_the_study_refuses(capsys):
    command = ("study", "transfer", LLAMA, *OPTIONS, "--out", "x.json")
    assert "none is of llama-0 itself" in failure(capsys, *command, "opt.json")
    assert "opt-0 has more than one" in failure(capsys, *command, "llama.json", "opt.json", "opt.json")
    strategy(OPT, [4, 48, 2, 20, 3, 40], "opt.json", 0.25)
    assert "structured at sparsity 0.25; structured ones at 0.3" in failure(capsys, *command, "llama.json", "opt.json")
    assert "has no perplexity" in failure(capsys, *command, "llama.json", "--task", "mini_piqa")


def test_the_plan_follows_what_decides_it():
    scored = functools.partial(transfer_plan.score, model="opt-tiny")
    small, other = (Artefacts(Grid({"grid": "tiny", "episodes": episodes})) for episodes in (15, 30))
    assert scored(small).inputs["strategies"] != scored(other).inputs["strategies"]
    paths = transfer_plan.records(small)
    assert [path.split("/")[2] for path in paths] == small.grid.models and len(set(paths)) == len(paths)
    assert not set(paths) & set(transfer_plan.records(other))
    fewer = Artefacts(Grid({"grid": "tiny", "episodes": 15, "models": "opt-tiny,llama-tiny"}))
    assert not set(paths) & set(transfer_plan.records(fewer))
    ranked = Artefacts(Grid({"grid": "tiny", "criterion": "wanda_sp"}))
    assert "--criterion wanda_sp" in scored(ranked).options
    needed = scored(small).inputs
    assert set(needed) == {"calibration", "stats", "strategies"} and len(needed["strategies"]) == 3
    assert all("/opt-tiny/" in needed[name] for name in ("calibration", "stats"))


@pytest.mark.dag
def test_the_matrix_of_a_grid(checkout):  # noqa: F811
    wanted = ("results/transfer.csv", "--config", "models=opt-tiny,llama-tiny", "episodes=15")
    done = snakemake(checkout, "--cores", "2", *wanted)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(checkout / "results/transfer.csv").set_index(["model", "strategy"])
    assert set(table.index) == {(m, s) for m in TINY for s in (*TINY, "uniform", "dense")}
    assert (table["ppl"] > 1).all() and (table.loc[[(m, m) for m in TINY], "ratio_to_own"] == 1).all()
    assert (checkout / "results/transfer.md").is_file()
    assert "Nothing to be done" in planned(checkout, *wanted)
