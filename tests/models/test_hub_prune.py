"""``prune --format hub``: the checkpoint's precision, a folder that plain transformers load, its card, its record."""

import json
import os
import subprocess
import sys

import pytest
import torch
from commands import PRUNE, failure, output
from new_families import random_model
from tiny import SCRATCH, logits, tiny_assets, tiny_folder, tiny_ids, tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM

from sparsitysolver.models.loading import load_model
from sparsitysolver.stages import prune as stage

PLAIN = """
import json, sys
sys.modules["sparsitysolver"] = sys.modules["baselines"] = None
import torch
from transformers import AutoModelForCausalLM
folder, ids = sys.argv[1], torch.tensor(json.loads(sys.argv[2]))
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
print(model.dtype)
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32)
found = model(ids).logits
print(json.dumps(found.tolist()))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
model(ids, labels=ids).loss.backward()
optimizer.step()
model.save_pretrained(folder + "-tuned")
again = AutoModelForCausalLM.from_pretrained(folder + "-tuned", trust_remote_code=True)
assert torch.equal(again(ids).logits, model(ids).logits) and not torch.equal(model(ids).logits, found)
"""
CONTENTS = {"README.md", "config.json", "generation_config.json", "model.safetensors", "pruning.json", "tokenizer.json"}
CONTENTS |= {"tokenizer_config.json"}
HUB = ("--format", "hub")
pytestmark = pytest.mark.usefixtures("place")


def prune(model, *options):
    return ("prune", str(model), *PRUNE[2:], "--seqlen", "16", *options)


def half(name):
    """A saved tiny model whose checkpoint is float16."""
    folder = SCRATCH / f"half-{name}"
    if not folder.is_dir():
        model = random_model(name) if name in ("gemma3_text", "phi3") else tiny_model(name)
        model.half().save_pretrained(folder)
        tiny_tokenizer().save_pretrained(folder)
    return folder


def plain(folder):
    """Dtype and logits of a folder in a process without this package, where it is also trained and saved."""
    ids = tiny_ids(seed=99)
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(folder), json.dumps(ids.tolist())],
        capture_output=True, text=True, env=os.environ | {"HF_MODULES_CACHE": str(folder.parent / "modules")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    dtype, found = done.stdout.splitlines()[-2:]
    return dtype, torch.tensor(json.loads(found))


def rounded(model):
    """What a model computes with weights rounded to float16."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return logits(model)


@pytest.mark.parametrize(
    ("family", "method"),
    [
        ("llama", "uniform"),
        ("mistral", "flap"),
        ("opt", "slicegpt"),
        ("gemma3_text", "svd_llm"),
        ("opt", "uniform_recon"),
        ("phi3", "uniform_recon"),
        ("phi3", "wanda"),
    ],
)
def test_the_pruned_model_in_the_checkpoints_precision(family, method, place, capsys):
    """Equal to what the sliced format keeps in float32, rounded, here and in plain transformers."""
    output(capsys, *prune(half(family), "--method", method))
    expected = rounded(load_model("out", device="cpu").model)
    output(capsys, *prune(half(family), "--method", method, "--out", "hub", *HUB))
    code = {"modeling_pruned.py"} if method != "wanda" else set()
    assert {path.name for path in (place / "hub").iterdir()} == CONTENTS | code
    named = json.loads((place / "hub" / "config.json").read_text())["architectures"][0]
    assert named.startswith("Pruned") == bool(code)
    again = load_model("hub", device="cpu")
    assert again.dtype == "float32" and torch.equal(logits(again.model), expected)
    dtype, found = plain(place / "hub")
    assert dtype == "torch.float16"
    torch.testing.assert_close(found, expected)
    if not code:
        AutoModelForCausalLM.from_pretrained("hub", trust_remote_code=False)


def test_what_the_checkpoint_cannot_hold_is_refused(place, monkeypatch, capsys):
    huge = tiny_model("llama")
    huge.model.embed_tokens.weight[5, 5] = 1e6
    huge.save_pretrained("huge", dtype=torch.float32)
    tiny_tokenizer().save_pretrained("huge")
    config = json.loads((place / "huge" / "config.json").read_text())
    (place / "huge" / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    error = failure(capsys, *prune("huge", "--method", "uniform", *HUB))
    assert "1 pruned weights of model.embed_tokens.weight are beyond what float16 holds" in error
    assert not (place / "out").exists()
    output(capsys, *prune("huge", "--method", "uniform"))


def test_the_record_is_read_by_the_other_commands_and_tells_nothing_of_this_machine(place, capsys):
    dense = str(tiny_folder("llama"))
    output(capsys, *prune(dense, "--method", "uniform", *HUB))
    record = json.loads((place / "out" / "pruning.json").read_text())
    assert record["hub"]["dtype"] == record["hub"]["computed_in"] == "float32"
    assert {"host", "command"}.isdisjoint(record["run"]) and str(place) not in json.dumps(record)
    assert record["provenance"]["seeds"] == {"job": 0}
    short = ("--prompt-tokens", "4", "--new-tokens", "2", "--rounds", "1")
    line = json.loads(output(capsys, "bench", "inference", dense, "out", *short, "--json"))
    assert [one["method"] for one in line["models"]] == ["dense", "uniform"]
    output(capsys, "evaluate", "out", "--task", "text.txt", "--seqlen", "16", "--out", "cell.json")
    cell = json.loads((place / "cell.json").read_text())
    assert cell["method"] == "uniform" and cell["seen"] == record["seen"]
    assert "pruned already" in failure(capsys, *prune("out", "--method", "uniform", "--out", "twice"))


# --- the card -------------------------------------------------------------------------------------------------------


def perplexities(folder):
    """Of a card: dense, pruned."""
    (line,) = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("| Perplexity")]
    return [float(part) for part in line.split("|")[2:4]]


def evaluated(capsys, model, text):
    command = ("evaluate", model, "--task", text, "--seqlen", "16", "--json")
    return json.loads(output(capsys, *command))["ppl"]


@pytest.mark.parametrize("method", ["uniform_recon", "slicegpt", "flap", "sparsegpt", "svd_llm_update", "besa"])
def test_perplexities_of_the_card_are_those_of_evaluate(method, place, capsys):
    output(capsys, *prune(tiny_folder("llama"), "--method", method, "--card-text", "text.txt", *HUB))
    expected = [evaluated(capsys, model, "text.txt") for model in (str(tiny_folder("llama")), "out")]
    assert perplexities(place / "out") == pytest.approx(expected, rel=1e-4)
    card = (place / "out" / "README.md").read_text()
    assert (
        "25 windows of 16 tokens, of text.txt (file), BOS: tokenizer, computed in float32." in card
        and "seen by pruning" not in card
    )
    # without a text: on the calibration windows, the dense model's before anything has changed
    output(capsys, *prune(tiny_folder("llama"), "--method", method, *HUB, "--out", "seen"))
    (place / "seen.txt").write_text(" ".join(f"w{token}" for token in tiny_ids(8, 16).ravel()))
    ids = torch.from_numpy(tiny_ids(8, 16)).long()
    for model, told in zip((tiny_model("llama"), load_model("seen", device="cpu").model), perplexities(place / "seen")):
        assert told == pytest.approx(float(model(ids, labels=ids).loss.exp()), rel=1e-4)
    assert "seen by pruning" in (place / "seen" / "README.md").read_text()


def test_a_method_without_calibration_and_a_card_without_perplexity(place, capsys):
    output(capsys, *prune(tiny_folder("llama"), "--method", "magnitude", *HUB))
    card = (place / "out" / "README.md").read_text()
    assert "Perplexity was not measured" in card and "- Calibration: none" in card and "set to zero" in card


def test_the_dense_models_id_and_licence(place, capsys):
    assets = tiny_assets(place / "assets", "opt-125m")
    (assets / "models" / "opt-125m" / "README.md").write_text("---\nlicense: mit\n---\n")
    output(capsys, *prune("opt-125m", "--method", "uniform", "--assets", str(assets), *HUB))
    card = (place / "out" / "README.md").read_text()
    assert 'base_model: "facebook/opt-125m"\n' in card and 'license: "mit"\n' in card
    output(capsys, *prune(assets / "models" / "opt-125m", "--method", "uniform", *HUB, "--out", "other"))
    assert "base_model" not in (place / "other" / "README.md").read_text()  # a folder may hold anything


def test_texts_of_cards_that_are_none(capsys):
    command = prune(tiny_folder("llama"), "--method", "uniform")
    assert "--card-text is for the card of --format hub" in failure(capsys, *command, "--card-text", "text.txt")
    assert "has no perplexity" in failure(capsys, *command, *HUB, "--card-text", "piqa")
    assert "no text file at" in failure(capsys, *command, *HUB, "--card-text", "nowhere.txt")


def test_gemma_is_not_rotated_for_the_hub_either(capsys):
    error = failure(capsys, *prune(half("gemma3_text"), "--method", "slicegpt", *HUB))
    assert "method 'slicegpt' cannot prune" in error


# --- compared before it gets its name -------------------------------------------------------------------------------

FAULTS = {
    "a bias is lost": lambda model: setattr(model.model.layers[0].mlp.down_proj, "bias", None),
    "a weight changes": lambda model: model.model.layers[0].mlp.down_proj.weight.data.mul_(1.1),
    "the config changes": lambda model: setattr(model.config, "rms_norm_eps", 0.1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_another_model_than_was_pruned_gets_no_name(fault, place, monkeypatch, capsys):
    def write(model, *rest):
        FAULTS[fault](model)
        saving(model, *rest)

    saving = stage.write_hub
    monkeypatch.setattr(stage, "write_hub", write)
    error = failure(capsys, *prune(tiny_folder("llama"), "--method", "flap", *HUB))
    assert "the pruned model was written and loaded back for comparison, and is another one: " in error
    assert not (place / "out").exists()


def test_the_generated_file_itself_is_what_is_loaded(place, monkeypatch, capsys):
    """A fault in it is found, which this package's own reader would not notice."""
    from sparsitysolver.models import saving

    right = saving.modelling_file

    def wrong(*args):
        return right(*args).replace("config.sparsitysolver)", '{**config.sparsitysolver, "neurons": [9] * 3})')

    monkeypatch.setattr(saving, "modelling_file", wrong)
    assert "is another one" in failure(capsys, *prune(tiny_folder("llama"), "--method", "uniform", *HUB))
    assert not (place / "out").exists()
