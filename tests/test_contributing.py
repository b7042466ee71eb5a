"""Every addition that CONTRIBUTING.md shows as a diff, made on a copy of the repository and run."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny import VOCABULARY, tiny_folder, tiny_ids, tiny_text, tiny_tokenizer
from transformers import GraniteConfig, GraniteForCausalLM

from sparsitysolver import ROOT

DIFFS = re.findall(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
COPIED = ("sparsitysolver", "baselines", "config", "figures", "rules", "profiles")


def apply(diff: str, house) -> list[str]:
    """Make the additions of a diff: new files whole, rows at the end of files that exist."""
    touched = re.findall(r"^\+\+\+ (.+)$", diff, re.MULTILINE)
    for name, part in zip(touched, re.split(r"^\+\+\+ .+\n", diff, flags=re.MULTILINE)[1:], strict=True):
        lines = part.splitlines()
        assert (house / name).exists() == (lines[0] == "@@ at the end @@"), name
        added = [line for line in lines if not line.startswith("@@")]
        assert all(line.startswith("+") for line in added), name
        with (house / name).open("a") as file:
            file.writelines(f"{line[1:]}\n" for line in added)
    return touched


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy with everything added, and what its commands need."""
    house = tmp_path_factory.mktemp("house")
    for name in COPIED:
        shutil.copytree(ROOT / name, house / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", house)
    for diff in DIFFS:
        apply(diff, house)
    np.save(house / "ids.npy", tiny_ids())
    (house / "text.txt").write_text(tiny_text())
    return house


def run(house, *command):
    """What a command of the copy prints."""
    paths = os.pathsep.join([str(house), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=house, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_addition_is_as_many_edits_as_the_page_says():
    rows = re.findall(r"^\| an? (?!model of)[\w -]+ \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    edits = [len(re.findall(r"^\+\+\+ ", diff, re.MULTILINE)) for diff in DIFFS]
    assert [len(re.findall(r"`[\w/]+[/.][\w.]*`", row)) for row in rows] == edits == [2, 2, 1, 1, 2, 2]


def test_a_baseline(house):
    base = ("sparsitysolver.cli", "prune", tiny_folder("llama"), "--calibration", "ids.npy", "--sparsity", "0.2")
    for method in ("uniform", "late"):
        run(house, *base, "--method", method, "--out", method)
    records = {name: json.loads((house / name / "pruning.json").read_text()) for name in ("uniform", "late")}
    kept = {name: [unit["kept"] for unit in record["strategy"]["units"]] for name, record in records.items()}
    assert kept["late"][1] > kept["uniform"][1] and kept["late"][-1] < kept["uniform"][-1]  # neurons


def test_a_search_algorithm(house):
    options = ("--calibration", "ids.npy", "--sparsity", "0.2", "--seqlen", "16", "--reward-windows", "2")
    run(house, "sparsitysolver.cli", "search", tiny_folder("llama"), "--algorithm", "climbing", "--episodes", "20",
        "--text", "text.txt", "--out", "climbing.json", *options)  # fmt: skip
    assert len((house / "climbing.curve.csv").read_text().splitlines()) == 21


def test_a_family(house):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4}
    scales = {
        "logits_scaling": 4.0,
        "residual_multiplier": 0.5,
        "embedding_multiplier": 3.0,
        "attention_multiplier": 0.2,
    }
    model = GraniteForCausalLM(GraniteConfig(vocab_size=VOCABULARY, max_position_embeddings=64, **sizes, **scales))
    model.eval().save_pretrained(house / "granite")
    tiny_tokenizer().save_pretrained(house / "granite")
    ids = torch.from_numpy(tiny_ids()[:2, :16]).long()
    loss = torch.nn.functional.cross_entropy(model(ids).logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    code = (
        "import torch, sys; from sparsitysolver.models.loading import load_model; from tiny import tiny_ids\n"
        "from sparsitysolver.evaluation.perplexity import window_losses\n"
        "ids = torch.from_numpy(tiny_ids()[:2, :16]).long()\n"
        "print(*window_losses(load_model('granite', device='cpu').adapter, ids))\n"
    )
    (house / "losses.py").write_text(code)
    assert [float(x) for x in run(house, "losses").split()] == pytest.approx(loss.mean(dim=1).tolist(), rel=1e-5)
    run(house, "sparsitysolver.cli", "prune", "granite", "--method", "flap", "--sparsity", "0.2", "--out", "flap",
        "--calibration", "ids.npy")  # fmt: skip


def test_a_task(house):
    item = {"support": "w3 w4", "question": "w5", "correct_answer": "w6"} | {
        f"distractor{n}": f"w{n}" for n in (1, 2, 3)
    }
    (house / "assets" / "tasks").mkdir(parents=True)
    (house / "assets" / "tasks" / "sciq.jsonl").write_text(f"{json.dumps(item)}\n" * 8)
    record = run(house, "sparsitysolver.cli", "evaluate", tiny_folder("llama"), "--task", "sciq",
                 "--assets", "assets", "--json").splitlines()[-1]  # fmt: skip
    assert 0 <= json.loads(record)["acc"] <= 1


def test_a_table_and_a_figure(house, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "reporting")
    import plot_factory

    plan = run(house, "snakemake", "-n", "results/table8.csv", "figures/figure15.png", "--config", "grid=tiny")
    for part in ("method=late", "sparsity=0.3", "results/table8.csv", "figures/figure15.png"):
        assert part in plan
    rows = plot_factory.curves(methods=("sparsitysolver", "climbing"))
    plot_factory.write_whole(house / "made" / "curves_figure15.csv", rows)
    said = run(house, "figures.figure15", "--results", "made", "--out", "made/figure15")
    assert (
        "by PPO and by steps around the best candidate so far" in said
        and (house / "made" / "figure15.png").stat().st_size > 5000
    )
