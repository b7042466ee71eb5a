"""``prune``: what it says it achieved, what it refuses by hand, and that a folder gets its name only when compared."""

import functools
import json

import pytest
import torch
from commands import PRUNE, failure, output
from tiny import SCRATCH, logits, tiny_folder, tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM

from sparsitysolver.cli import main
from sparsitysolver.evaluation.size import Achieved, Size, measure_size
from sparsitysolver.models.loading import load_model
from sparsitysolver.models.saving import release
from sparsitysolver.records.files import read_record
from sparsitysolver.stages import prune as stage

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("place")]
# Shapes of OPT that the published ones do not have: Galactica's without biases, and one without a last norm.
VARIANTS = {
    "bare": {"enable_bias": False, "layer_norm_elementwise_affine": False},
    "no last norm": {"_remove_final_layer_norm": True},
}
NOT_SLICED = {"bare": "LayerNorm without gain, or linears without bias", "no last norm": "no norm before the head"}


@functools.cache
def variant(name):
    """A saved tiny OPT of another shape."""
    folder = SCRATCH / f"opt {name}"
    tiny_model("opt", **VARIANTS[name]).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def prune(model, *options):
    return ("prune", str(model), *PRUNE[2:], *options)


def made(place):
    """What lies in the working folder besides its inputs, hidden files too."""
    return {path.name for path in place.iterdir()} - {"ids.npy", "text.txt"}


# --- what was achieved ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["uniform", "wanda", "svd_llm"])
def test_every_prune_says_what_it_achieved(method, place, capsys):
    """Zeros of a mask count as gone, whatever the file holds."""
    line = output(capsys, *prune(tiny_folder("llama"), "--method", method))
    pruned, dense = load_model("out", device="cpu"), tiny_model("llama").num_parameters()
    zeros = sum(int((weight == 0).sum()) for weight in pruned.model.parameters()) if method == "wanda" else 0
    left = pruned.model.num_parameters() - zeros
    gone = measure_size(pruned.adapter).sparsity
    assert f"at sparsity 0.2: {gone:.1%} of the prunable weights and {1 - left / dense:.1%} of all parameters" in line
    assert f"({left:,} of {dense:,} left)" in line and left < dense
    size = json.loads((place / "out" / "pruning.json").read_text())["size"]
    assert (size["achieved_sparsity"], size["removed_parameters"]) == (gone, 1 - left / dense)
    assert (size["parameters"], size["dense_parameters"]) == (pruned.model.num_parameters(), dense)


def test_a_narrow_model_that_grows_is_told(place, capsys):
    assert main(prune(tiny_folder("opt"), "--method", "slicegpt", "--sparsity", "0.1")) == 0
    said, size = capsys.readouterr(), json.loads((place / "out" / "pruning.json").read_text())["size"]
    assert size["parameters"] > size["dense_parameters"] and size["removed_parameters"] < 0
    assert f", and {-size['removed_parameters']:.1%} more parameters than the dense model (" in said.out
    off, grew = said.err.splitlines()[-2:]
    assert off.startswith(f"sparsitysolver: warning: {size['achieved_sparsity']:.1%} of the prunable weights are gone,")
    assert off.endswith("not 10.0% (the sparsity is one of the stream's width; slicegpt_matched meets the weights).")
    assert f"the model grew, from {size['dense_parameters']:,} parameters to {size['parameters']:,}." in grew


def test_warnings_have_a_tolerance_of_a_point():
    def warnings(gone, parameters):
        size = Size(parameters, parameters, 4 * parameters, 1000 - gone, 1000 - gone, 1000)
        return Achieved(size, asked=0.2, dense=2000).warnings("")

    assert warnings(190, 2000) == warnings(210, 1) == []
    assert warnings(189, 2000) == ["18.9% of the prunable weights are gone, not 20.0%."]
    assert warnings(211, 2000) == ["21.1% of the prunable weights are gone, not 20.0%."]
    assert warnings(200, 2001) == ["the model grew, from 2,000 parameters to 2,001."]


# --- what a method does not support ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "reason"), [("slicegpt", "slicing 0.999 of 32 channels leaves none"), ("svd_llm", "has no rank left")]
)
def test_by_hand_it_is_an_error_and_in_a_grid_a_cell(method, reason, place, capsys):
    command = prune(tiny_folder("llama"), "--method", method, "--sparsity", "0.999")
    error = failure(capsys, *command)
    assert f"method '{method}' cannot prune {tiny_folder('llama')} to sparsity 0.999: " in error and reason in error
    assert made(place) == set()
    line = output(capsys, *command, "--allow-skip")
    assert line.startswith("out: skipped: ") and reason in line
    assert [path.name for path in (place / "out").iterdir()] == ["pruning.json"]
    assert main(["evaluate", "out", "--task", "text.txt", "--out", "cell.json"]) == 0
    cell = read_record("cell.json", "cell")
    assert cell["status"] == "skipped" and reason in cell["reason"]


@pytest.mark.parametrize("method", ["uniform_recon", "flap", "svd_llm_update", "sparsegpt", "slicegpt"])
@pytest.mark.parametrize("name", VARIANTS)
def test_variants_of_a_family_are_pruned_or_refused_with_the_reason(name, method, capsys):
    """Both formats give one model: what was pruned, with every bias."""
    command = prune(variant(name), "--method", method, "--seqlen", "16")
    if method == "slicegpt":
        assert NOT_SLICED[name] in failure(capsys, *command)
        return
    output(capsys, *command)
    output(capsys, *command, "--out", "padded", "--format", "padded")
    sliced = logits(load_model("out", device="cpu").model)
    stock, info = AutoModelForCausalLM.from_pretrained("padded", dtype=torch.float32, output_loading_info=True)
    assert not any(info.values())
    assert (logits(stock) - sliced).abs().max() <= 1e-4
    assert (sliced - logits(tiny_model("opt", **VARIANTS[name]))).abs().max() > 0.01
    assert stock.config.enable_bias == (method == "flap" or name != "bare")


# --- written and compared -------------------------------------------------------------------------------------------


FAULTS = {
    "a bias is lost": lambda model: setattr(model.model.layers[0].mlp.down_proj, "bias", None),
    "a weight changes": lambda model: model.model.layers[0].mlp.down_proj.weight.data.mul_(1.1),
    "a shape is misreported": lambda model: setattr(model.model.layers[1].mlp.gate_proj.weight, "data", NOTHING),
    "the config changes": lambda model: setattr(model.config, "rms_norm_eps", 0.1),
}
NOTHING = torch.zeros(44, 32)


@pytest.mark.parametrize("form", ["sliced", "padded"])
@pytest.mark.parametrize("fault", FAULTS)
def test_another_model_than_was_pruned_gets_no_name(fault, form, place, monkeypatch, capsys):
    """A fault between the pruned model and its files, each of which a reader would load without a word."""
    name = {"sliced": "save_pruned", "padded": "save_padded"}[form]
    saving = getattr(stage, name)

    def save(model, *rest):
        FAULTS[fault](model)
        saving(model, *rest)

    monkeypatch.setattr(stage, name, save)
    assert main(prune(tiny_folder("llama"), "--method", "flap", "--format", form)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "the pruned model was written and loaded back for comparison, and is another one: " in error
    assert made(place) == set()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("method", ["flap", "svd_llm", "wanda"])
def test_half_precision_passes_in_both_formats(method, dtype, capsys):
    command = prune(tiny_folder("llama"), "--method", method, "--dtype", dtype, "--seqlen", "16")
    output(capsys, *command)
    output(capsys, *command, "--out", "padded", "--format", "padded")


def test_a_model_that_was_saved_leaves_its_place():
    model = tiny_model("opt")
    release(model)
    assert {tensor.numel() for tensor in (*model.parameters(), *model.buffers())} <= {0}


def test_of_two_writers_of_one_name_one_stays(place, monkeypatch, capsys):
    """The other one comes to its end while this one still compares."""

    def compare(folder, *_, **__):
        (place / "out").mkdir()
        (place / "out" / "theirs").write_text("x")

    monkeypatch.setattr(stage, "check_saved", compare)
    error = failure(capsys, *prune(tiny_folder("llama"), "--method", "uniform"))
    assert "out exists by now: something else has written it meanwhile" in error
    assert made(place) == {"out"} and [path.name for path in (place / "out").iterdir()] == ["theirs"]
