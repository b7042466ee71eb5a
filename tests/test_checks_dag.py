"""The regression check and the gate before pruning as parts of the DAG."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from test_snakefile import checkout, planned, planned_rules, snakemake  # noqa: F401 - a fixture
from tiny import tiny_assets

from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.plans.measurements import preflight

pytestmark = pytest.mark.dag
CHECK = ("--cores", "2", "results/regression.csv", "--config", "models=opt-tiny", "episodes=15")


def rows_of(folder: Path) -> pd.DataFrame:
    path = folder / "results/regression/comparison.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False).set_index("method")


@pytest.fixture(scope="module")
def accepted(checkout: Path) -> Path:  # noqa: F811
    """The accepted values of a first regression run, in which everything is new."""
    stored = checkout / "results/accepted/tiny.csv"
    stored.unlink(missing_ok=True)
    done = snakemake(checkout, *CHECK)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert set(rows_of(checkout)["accepted_verdict"]) == {"new"}
    command = [sys.executable, "-m", "sparsitysolver.cli", "report", "accept"]
    subprocess.run(command, cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)}, check=True)
    return stored


def test_accepted_values_are_compared_without_measuring_anew(accepted, checkout):  # noqa: F811
    assert "evaluate" not in planned_rules(planned(checkout, *CHECK[2:]))
    assert snakemake(checkout, *CHECK).returncode == 0
    rows = rows_of(checkout)
    assert set(rows["accepted_verdict"]) == {"ok"} and set(rows["published_verdict"]) == {"not comparable"}
    assert sorted(rows.index) == sorted(
        ["dense", "flap", "slicegpt", "svd_llm", "sparsitysolver", "sparsitysolver_recon", "wanda", "owl"]
    )
    assert "Nothing to be done" in planned(checkout, *CHECK[2:])


def test_a_value_that_is_out_fails_the_run_and_leaves_the_comparison(accepted, checkout):  # noqa: F811
    kept = accepted.read_text()
    with accepted.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    with accepted.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(row | {"value": "2.5"} if row["method"] == "flap" else row for row in rows)
    try:
        for _ in range(2):  # a failed check is made again, not taken for done
            done = snakemake(checkout, *CHECK)
            assert done.returncode == 1
            assert "out: opt-tiny, flap, 0.2, seed 0, mini test, ppl: measured " in done.stdout + done.stderr
            assert ", accepted 2.5 ± " in done.stdout + done.stderr
            assert rows_of(checkout)["accepted_verdict"].to_dict()["flap"] == "out"
            assert not (checkout / "results/regression.csv").exists()
    finally:
        accepted.write_text(kept)
    assert snakemake(checkout, *CHECK).returncode == 0
    assert set(rows_of(checkout)["accepted_verdict"]) == {"ok"}
    assert (checkout / "results/regression.csv").read_bytes() == (
        checkout / "results/regression/comparison.csv"
    ).read_bytes()


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Path:
    """A tiny random OPT under the name of OPT-125M, and text that it reads."""
    return tiny_assets(tmp_path_factory.mktemp("assets"), "opt-125m")


def publish(folder: Path, ppl: float) -> None:
    """Make a perplexity in windows of 64 tokens the published one of OPT-125M."""
    path = folder / "config/paper/dense.csv"
    lines = path.read_text().splitlines()
    row = f"opt-125m,wikitext2,test,64,{ppl},0.03,the test,,"
    path.write_text("\n".join(row if line.startswith("opt-125m,") else line for line in lines) + "\n")


def test_wrong_weights_stop_a_run_before_anything_is_pruned(assets, checkout):  # noqa: F811
    settings = {"grid": "opt125m", "assets": str(assets)}
    artefacts = Artefacts(Grid(settings))
    target = artefacts.evaluate(Cell("opt-125m", "uniform", "0.2", "0", "wikitext2")).path
    command = (target, "--config", *(f"{key}={value}" for key, value in settings.items()))
    publish(checkout, 27.64)
    done = snakemake(checkout, "--cores", "2", *command)
    assert done.returncode == 1
    assert "published 27.64 ± 0.03 (the test). A perplexity near the vocabulary size" in done.stdout + done.stderr
    assert not list((checkout / "results").glob("pruned/opt-125m/*/*/*/*/*")) and not (checkout / target).exists()

    cell = json.loads((checkout / preflight(artefacts, "opt-125m").inputs["cell"]).read_text())
    publish(checkout, cell["metrics"]["ppl"]["value"])
    done = snakemake(checkout, "--cores", "2", *command)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record = json.loads((checkout / preflight(artefacts, "opt-125m").path).read_text())
    assert record["verdict"].startswith("not comparable: not WikiText-2 raw test (")  # the assets' own text
    assert record["source"] == "the test"

    source = checkout / "sparsitysolver/stages/preflight.py"
    source.write_text(source.read_text() + "\n# edited\n")
    plan = planned(checkout, *command)
    assert not planned_rules(plan) & {"prune", "evaluate"}  # a gate passed once more prunes nothing anew
