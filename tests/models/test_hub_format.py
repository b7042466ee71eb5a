"""Pruned models as plain transformers load them: a process of their own, without this package, the same logits."""

import json
import os
import subprocess
import sys

import pytest
import torch
from jobs import job_for, run_row
from new_families import CONFIGS, random_model
from tiny import FAMILIES, logits, tiny_ids, tiny_model, tiny_tokenizer

from baselines import slicing
from sparsitysolver.config.registry import method
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.saving import save_hub

PLAIN = """
import json, sys
sys.modules["sparsitysolver"] = sys.modules["baselines"] = None
import torch
from transformers import AutoModelForCausalLM
folder, ids = sys.argv[1], torch.tensor(json.loads(sys.argv[2]))
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
with torch.no_grad():
    found = model(ids).logits
loss = model(ids, labels=ids).loss
loss.backward()
made = [model.generate(ids[:1, :6], max_new_tokens=4, do_sample=False, **how).tolist()
        for how in ({}, {"use_cache": False}, {"cache_implementation": "static"})]
print(json.dumps({"logits": found.tolist(), "made": made, "dtype": str(model.dtype), "class": type(model).__name__,
    "size": sum(p.numel() for p in model.parameters()),
    "gradients": all(p.grad is not None for p in model.parameters())}))
"""
METHODS = ("uniform", "flap", "slicegpt", "svd_llm", "wanda")


def in_plain_transformers(place, ids):
    """What a process without this package makes of ``place/hub``."""
    environment = os.environ | {"HF_MODULES_CACHE": str(place / "modules")}
    done = subprocess.run([sys.executable, "-c", PLAIN, str(place / "hub"), json.dumps(ids.tolist())],
                          capture_output=True, text=True, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("family", [*FAMILIES, *(name for name in CONFIGS if name not in FAMILIES)])
def test_plain_transformers_load_what_was_pruned(family, key, tmp_path):
    model = tiny_model(family) if family in FAMILIES else random_model(family)
    if key == "slicegpt" and family.startswith("gemma"):
        pytest.skip("its norms cannot be folded")
    _, _, outcome = run_row(method(key), model, 0.25, tiny_ids(12, 16, seed=1))
    expected, size = logits(model), sum(p.numel() for p in model.parameters())
    save_hub(model, tiny_tokenizer(), outcome.structure, tmp_path / "hub", card="# A model\n")
    ids = tiny_ids(2, 16)[:, :12]
    found = in_plain_transformers(tmp_path, ids)
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(found["logits"]), model(torch.from_numpy(ids).long()).logits)
    assert found["size"] == size and found["gradients"] and found["dtype"] == "torch.float32"
    assert found["class"].startswith("Pruned") == (outcome.structure is not None)
    assert found["made"][0] == found["made"][1] == found["made"][2]
    again = load_model(str(tmp_path / "hub"), device="cpu")
    assert torch.equal(logits(again.model), expected)


@pytest.mark.parametrize("family", ["opt", "mistral", "gemma3_text"])
def test_layers_without_heads(family, tmp_path):
    """Every cache counts the tokens that a layer without attention has seen, the first one above all."""
    model = tiny_model(family) if family in FAMILIES else random_model(family)
    job = job_for(model, 0.25)
    outcome = slicing.prune(job, [0 if place in (0, 2) else unit.size // 2 for place, unit in enumerate(job.units)])
    save_hub(model, tiny_tokenizer(), outcome.structure, tmp_path / "hub")
    ids = tiny_ids(2, 16)[:, :12]
    found = in_plain_transformers(tmp_path, ids)
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(found["logits"]), model(torch.from_numpy(ids).long()).logits)
    assert found["made"][0] == found["made"][1] == found["made"][2]


def test_a_smaller_dtype(tmp_path):
    model = tiny_model("llama")
    _, _, outcome = run_row(method("uniform"), model, 0.25, tiny_ids())
    save_hub(model, tiny_tokenizer(), outcome.structure, tmp_path / "hub", dtype=torch.bfloat16)
    assert json.loads((tmp_path / "hub" / "config.json").read_text())["dtype"] == "bfloat16"
    assert not (tmp_path / "hub" / "README.md").exists()
