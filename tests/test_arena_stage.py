"""``study arena`` and the arena's part of the DAG."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tiny import tiny_folder, tiny_ids, tiny_text

from sparsitysolver import ROOT
from sparsitysolver.cli import main
from sparsitysolver.records.files import read_record

pytestmark = pytest.mark.filterwarnings("ignore")
MODEL = str(tiny_folder("opt"))
COMMON = ["--seqlen", "16", "--calibration", "ids.npy"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("ids.npy", tiny_ids(8, 16))
    (tmp_path / "text.txt").write_text(tiny_text(100))
    return tmp_path


def found(algorithm, *more):
    out = f"{algorithm}/x.json"
    asked = ["--algorithm", algorithm, "--sparsity", "0.2", "--episodes", "30", "--reward-windows", "2"]
    assert main(["search", MODEL, *COMMON, *asked, "--text", "text.txt", "--out", out, *more]) == 0
    return out


def scored(*strategies, out="score.json", sparsity="0.2"):
    given = ["--sparsity", sparsity, "--task", "text.txt", "--out", out]
    return main(["study", "arena", MODEL, *strategies, *COMMON, *given])


def test_final_perplexity_is_that_of_the_pruned_model(place, capsys):
    paths = [found("ppo"), found("surrogate")]
    assert scored(*paths) == 0
    record = read_record("score.json", "arena")
    for path, search in zip(paths, record["searches"], strict=True):
        pruned = f"{search['algorithm']}-pruned"
        options = ["--method", "sparsitysolver", "--sparsity", "0.2", "--strategy", path, "--out", pruned]
        assert main(["prune", MODEL, *COMMON, *options]) == 0
        capsys.readouterr()
        assert main(["evaluate", pruned, "--task", "text.txt", "--seqlen", "16", "--json"]) == 0
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert result["windows"] == len(search["test_losses"])
        assert search["test_ppl"] == pytest.approx(result["ppl"], rel=1e-5)
    assert [search["algorithm"] for search in record["searches"]] == ["ppo", "surrogate"]
    assert record["searches"][0]["tokens"] == 30 * 2 * 16
    assert record["searches"][0]["anytime"][-1]["tokens"] == 30 * 2 * 16
    assert [line["algorithm"] for line in record["lines"]] == ["uniform", "owl", "ramp"]
    assert all(line["achieved_sparsity"] >= 0.2 for line in record["lines"])
    assert [point["sparsity"] for point in record["pareto"]] == [0.1, 0.2, 0.3, 0.4]
    assert record["pareto"][0]["sparsity"] == 0.1 and record["pareto"][0]["achieved_sparsity"] >= 0.1


def test_searches_that_cannot_be_compared(place, capsys):
    paths = [found("ppo"), found("random", "--criterion", "wanda_sp")]
    assert scored(*paths) == 2
    assert "different criteria" in capsys.readouterr().err
    assert scored(paths[0], sparsity="0.3") == 2
    assert "0.3" in capsys.readouterr().err


def planned(*config):
    command = [sys.executable, "-m", "snakemake", "-n", "results/arena.csv", "figures/arena.png", "--config", *config]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_grid_plans_every_search_with_every_seed():
    result = planned("grid=tiny")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("entrant=surrogate") == 10
    assert "self_pruner" not in result.stdout
    driven = planned("chat_url=http://127.0.0.1:9/v1", "chat_model=x")
    assert driven.stdout.count("entrant=self_pruner") == 10


@pytest.mark.parametrize("seeds", ["0", "two"])
def test_a_number_of_seeds_that_is_none(seeds):
    result = planned(f"arena_seeds={seeds}")
    assert result.returncode != 0 and "Traceback" not in result.stderr
    assert f"arena_seeds={seeds}: a number of at least 1 is needed" in result.stderr
