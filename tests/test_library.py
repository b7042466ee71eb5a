"""The commands as functions of a model in memory: README's lines, the same results as the commands, mistakes."""

import json
import re

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import sparsitysolver
from sparsitysolver import ROOT, cli
from sparsitysolver.config.assets import BUNDLED
from sparsitysolver.errors import SparsitySolverError

PLACE = BUNDLED / "llama-tiny"
FEW = {"nsamples": 4}


@pytest.fixture
def model():
    return AutoModelForCausalLM.from_pretrained(PLACE, dtype=torch.float32)


@pytest.fixture
def tokenizer():
    return AutoTokenizer.from_pretrained(PLACE)


def test_the_lines_of_the_readme(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(import sparsitysolver\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for wanted, bundled in (("facebook/opt-125m", str(BUNDLED / "opt-tiny")), ("c4", "mini")):
        assert f'"{wanted}"' in code
        code = code.replace(f'"{wanted}"', f'"{bundled}"')
    made: dict = {}
    exec(compile(code, "README.md", "exec"), made)  # noqa: S102
    sparsity, ppl = map(float, capsys.readouterr().out.splitlines()[0].split())
    assert sparsity == made["pruned"].sparsity == pytest.approx(0.2, abs=0.01) and 2 < ppl < 4
    assert made["better"].strategy["found"]["algorithm"] == "surrogate"
    ids = torch.arange(12)[None]
    assert made["model"].dtype == torch.float32
    assert torch.equal(made["model"](ids).logits, made["better"].model(ids).logits)
    assert made["model"].generate(ids, max_new_tokens=2).shape == (1, 14)


@pytest.mark.parametrize("method", ["flap", "wanda", "uniform_recon"])
def test_results_are_those_of_the_commands(method, model, tokenizer, tmp_path, capsys):
    dense = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pruned = sparsitysolver.prune(model, tokenizer, method, 0.3, "mini", seqlen=64, **FEW)
    assert all(torch.equal(tensor, dense[name]) for name, tensor in model.state_dict().items())
    options = ["--method", method, "--sparsity", "0.3", "--calibration", "mini", "--seqlen", "64", "--nsamples", "4"]
    assert cli.main(["prune", str(PLACE), *options, "--threads", "1", "--out", str(tmp_path / "by hand")]) == 0
    pruned.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").read_bytes() == (
        tmp_path / "by hand" / "model.safetensors"
    ).read_bytes()
    cell = sparsitysolver.evaluate(pruned, task="mini", windows=5)
    again = sparsitysolver.evaluate(sparsitysolver.load_pruned(tmp_path / "saved"), tokenizer, "mini", windows=5)
    capsys.readouterr()
    assert cli.main(["evaluate", str(tmp_path / "by hand"), "--task", "mini", "--windows", "5", "--json"]) == 0
    by_hand = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert cell["metrics"]["ppl"]["value"] == again["metrics"]["ppl"]["value"] == by_hand["ppl"]
    assert cell["leakage"]["calibrated_on_eval_domain"] and cell["method"] == method


def test_calibration_in_memory(model, tokenizer):
    ids = np.arange(4 * 32, dtype=np.int64).reshape(4, 32) % 100
    of_array, of_tensor = (
        sparsitysolver.prune(model, tokenizer, "wanda", 0.5, given) for given in (ids, torch.from_numpy(ids))
    )
    assert of_array.record["calibration"]["sha256"] == of_tensor.record["calibration"]["sha256"]
    texts = ["the dog sleeps in the garden . " * 20, "a cat is under the table . " * 20]
    of_texts = sparsitysolver.prune(model, tokenizer, "wanda", 0.5, texts, seqlen=16, **FEW)
    assert of_texts.record["calibration"]["nsamples"] == 4 and of_texts.sparsity == pytest.approx(0.5, abs=0.01)


def test_in_place_and_for_the_hub(model, tokenizer, tmp_path):
    pruned = sparsitysolver.prune(
        model, tokenizer, "uniform", 0.2, "mini", inplace=True, format="hub", card_text="mini", **FEW
    )
    assert pruned.model is model and all(parameter.requires_grad for parameter in model.parameters())
    pruned.save(tmp_path / "hub")
    assert "Perplexity" in (tmp_path / "hub" / "README.md").read_text()
    with pytest.raises(SparsitySolverError, match="pruned already"):
        sparsitysolver.prune(sparsitysolver.load_pruned(tmp_path / "hub"), tokenizer, "uniform")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "wonda"}, "unknown method 'wonda'; did you mean wanda"),
        ({"method": "wanda", "nsample": 3}, "unknown option of prune 'nsample'; did you mean nsamples"),
        ({"method": "wanda", "sparsity": 20}, "sparsity"),
        ({"method": "wanda", "calibration": "/nowhere.txt"}, "no text file at /nowhere.txt"),
        ({"method": "wanda", "tokenizer": None}, "without its tokenizer"),
        ({"method": "wanda", "model": torch.nn.Linear(2, 2)}, "a model of transformers is needed; Linear was given"),
        ({"method": "wanda", "nsamples": "four"}, "nsamples: 'four' is no whole number"),
        ({"method": "wanda", "sparsity": "20%"}, "sparsity: '20%' is no number; give 0.2"),
        ({"method": "wanda", "format": "nope"}, "unknown format 'nope'"),
        ({"method": "wanda", "calibration": []}, "a list of texts, or an array of token ids is needed; list"),
        ({"method": "flap", "strategy": {"a": 1}}, "what was given is not a valid strategy"),
    ],
)
def test_mistakes(given, message, model, tokenizer):
    with pytest.raises(SparsitySolverError, match=message):
        sparsitysolver.prune(**{"model": model, "tokenizer": tokenizer} | given)
