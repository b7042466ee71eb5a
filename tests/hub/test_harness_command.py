"""lm-evaluation-harness's own command line on a folder for the hub, beside this package's evaluation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import lm_eval
import numpy as np
import yaml
from commands import output
from lm_eval.tasks._yaml_loader import load_yaml

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import zero_shot_task
from sparsitysolver.data.items import load_items

TASK, LIMIT = "mini_piqa", 24
STOCK = Path(lm_eval.__file__).parent / "tasks"


def task_file(folder, items):
    """lm-eval's stock task under another name, on items of a local file."""
    folder.mkdir()
    (folder / "items.jsonl").write_text("".join(json.dumps(record) + "\n" for record in items.records))
    stock = dict(load_yaml(STOCK / zero_shot_task(items.harness_task).stock))
    for name in ("tag", "group", "task_list", "training_split", "validation_split", "dataset_name"):
        stock.pop(name, None)
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(folder / "items.jsonl")}}}
    named = stock | data | {"task": "of_the_mini_language", "test_split": "test"}
    (folder / "task.yaml").write_text(yaml.safe_dump(named))


def test_it_scores_the_folder_as_evaluate_does(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = ("--nsamples", "16", "--format", "hub")
    output(capsys, "prune", "llama-tiny", "--method", "flap", "--sparsity", "0.3", "--out", "hub", *few)
    output(capsys, "evaluate", "hub", "--task", TASK, "--limit", LIMIT, "--out", "cell.json")
    cell = json.loads((tmp_path / "cell.json").read_text())
    task_file(tmp_path / "tasks", load_items(TASK, "report", Assets(None), LIMIT))
    options = ["--tasks", "of_the_mini_language", "--include_path", "tasks", "--batch_size", "8", "--device", "cpu"]
    options += ["--log_samples", "--output_path", "found"]
    block = (
        "import sys; sys.modules['sparsitysolver'] = None; from lm_eval.__main__ import cli_evaluate; cli_evaluate()"
    )
    done = subprocess.run(
        [sys.executable, "-c", block, "--model", "hf", "--model_args",
         "pretrained=hub,trust_remote_code=True,dtype=float32", *options],
        env=os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (results,) = (tmp_path / "found").rglob("results_*.json")
    found = json.loads(results.read_text())["results"]["of_the_mini_language"]
    for name, measured in cell["metrics"].items():
        assert found[f"{name},none"] == measured["value"]
    (samples,) = (tmp_path / "found").rglob("samples_*.jsonl")
    lines = sorted((json.loads(line) for line in samples.read_text().splitlines()), key=lambda one: one["doc_id"])
    scores = [[float(score) for score, _ in line["filtered_resps"]] for line in lines]
    np.testing.assert_allclose(scores, cell["samples"]["loglikelihoods"], atol=1e-4)
    assert len(lines) == LIMIT
