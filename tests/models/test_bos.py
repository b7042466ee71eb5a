"""The BOS of a model's windows: none, the tokenizer's own once, or one before every window; losses by hand."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import failure, output
from new_families import random_model
from safetensors.torch import load_file
from tiny import tiny_ids, tiny_model, tiny_text, tiny_tokenizer
from torch.nn.functional import cross_entropy
from zero_shot_items import piqa

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.bos import BOS_RULES, EVERY, FIRST, NONE
from sparsitysolver.data.sampling import Calibration
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.choices import choice_loglikelihoods, choice_requests
from sparsitysolver.evaluation.zero_shot import evaluate_zero_shot
from sparsitysolver.models import loading
from sparsitysolver.models.adapter import bos_rule, family_names
from sparsitysolver.models.loading import load_model
from sparsitysolver.stages.common import draw

LENGTH, BOS = 16, 2
SHARED = Path(os.environ.get("SPARSITYSOLVER_REFERENCE", Path(__file__).parents[3] / "shared" / "reference")).parent
TEXT = SHARED / "real" / "test-short.txt"


def save(folder: Path, model, template: str) -> str:
    model.save_pretrained(folder)
    tiny_tokenizer(template).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, str]:
    """A Gemma 3 and two LLaMAs, one whose tokenizer adds a BOS and one whose tokenizer has one and adds none."""
    base = tmp_path_factory.mktemp("models")
    return {
        "gemma": save(base / "gemma", random_model("gemma3_text"), "<s> $A"),
        "adds": save(base / "adds", tiny_model("llama"), "<s> $A"),
        "bare": save(base / "bare", tiny_model("llama"), "$A"),
    }


@pytest.fixture(scope="module")
def without(tmp_path_factory) -> str:
    """A model whose tokenizer has no BOS token."""
    folder = tmp_path_factory.mktemp("without")
    save(folder, tiny_model("llama"), "$A")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("bos_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return str(folder)


@torch.no_grad()
def ppl_by_hand(folder: str, rule: str) -> float:
    """From the logits of the stock model, window for window."""
    model, losses = load_model(folder, device="cpu").model, []
    stream = [int(word[1:]) for word in tiny_text().split()]
    stream = [BOS, *stream] if rule == FIRST and "bare" not in folder else stream
    for start in range(0, len(stream) - LENGTH + 1, LENGTH):
        window, lead = stream[start : start + LENGTH], [BOS] if rule == EVERY else []
        scores = model(torch.tensor([lead + window]), use_cache=False).logits[0, len(lead) : -1]
        losses.append(float(cross_entropy(scores, torch.tensor(window[1:]))))
    return float(np.exp(np.mean(losses)))


@pytest.mark.parametrize("rule", [None, *BOS_RULES])
@pytest.mark.parametrize("name", ["gemma", "adds", "bare"])
def test_perplexity_by_hand_and_what_the_cell_says(name, rule, folders, text_file, tmp_path, capsys):
    """Whatever the rule, the same L - 1 tokens of a window are scored; without a word the family's rule holds."""
    folder, out = folders[name], tmp_path / "cell.json"
    options = ["--seqlen", LENGTH, "--out", out, "--json", *(["--bos", rule] if rule else [])]
    found = json.loads(output(capsys, "evaluate", folder, "--task", text_file, "--device", "cpu", *options))
    rule = rule or (EVERY if name == "gemma" else FIRST)
    assert found["ppl"] == pytest.approx(ppl_by_hand(folder, rule), rel=1e-5)
    fingerprint = json.loads(out.read_text())["fingerprint"]
    own = rule == FIRST and name != "bare"
    assert fingerprint["bos"] == ("tokenizer" if own else EVERY if rule == EVERY else NONE)
    assert (fingerprint["seqlen"], fingerprint["tokens"]) == (LENGTH, 400 + own)


def test_gemma_alone_has_a_bos_before_every_window():
    assert {name for name in family_names() if bos_rule(name) == EVERY} == {"gemma2", "gemma3_text"}
    assert {bos_rule(name) for name in family_names()} == {EVERY, FIRST}


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "sample", "preflight"])
def test_a_bos_that_the_tokenizer_has_not(command, without, text_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loading, "_load_weights", lambda *_: pytest.fail("weights were read"))
    texts = {"calibrate": "--calibration", "sample": "--calibration"}
    options = [texts.get(command, "--task"), text_file, "--bos", EVERY, "--out", tmp_path / "out"]
    assert "the model's tokenizer has no BOS token; take --bos first" in failure(capsys, command, without, *options)
    assert not (tmp_path / "out").exists()


def test_a_window_and_its_bos_fit_the_model(folders, text_file, tmp_path, capsys):
    for option in ("--task", "--calibration"):
        command = ["evaluate", "calibrate"][option == "--calibration"], folders["gemma"], option, text_file
        error = failure(capsys, *command, "--seqlen", 64, "--out", tmp_path / "out")
        assert "window length 64 asked for; gemma takes 2 to 63 tokens and a BOS before them." in error
    found = output(capsys, "evaluate", folders["gemma"], "--task", text_file, "--json", "--device", "cpu")
    assert json.loads(found)["seqlen"] == 63
    assert "invalid choice: 'all'" in failure(capsys, "evaluate", folders["gemma"], "--bos", "all")


@pytest.mark.parametrize("sampler", ["gptq", "slicegpt", "svd_llm", "svd_llm_update"])
@pytest.mark.parametrize("rule", BOS_RULES)
def test_calibration_windows(sampler, rule, folders, text_file):
    """``every`` draws what ``none`` draws, with a BOS before each; its hash is another one, and its record says so."""
    loaded = load_model(folders["adds"], device="cpu", bos=rule)
    wanted = Calibration(str(text_file), sampler, 5, 12, 0, bos=rule)
    drawn = draw(wanted, loaded, Assets(None))
    bare = draw(
        Calibration(str(text_file), sampler, 5, 12, 0, bos=NONE), load_model(folders["adds"], bos=NONE), Assets(None)
    )
    assert not (bare.ids == BOS).any()
    if rule == EVERY:
        assert (drawn.ids[:, 0] == BOS).all() and np.array_equal(drawn.ids[:, 1:], bare.ids)
        assert drawn.sha256 != bare.sha256
    record = drawn.record()
    assert record.get("bos") == (None if rule == FIRST else rule)
    assert (record["seqlen"], record["tokens"]) == (12, 5 * (12 + (rule == EVERY)))
    if rule == FIRST and sampler in ("slicegpt", "svd_llm"):
        assert (drawn.ids[:, 0] == BOS).all() and not np.array_equal(drawn.ids, bare.ids)


def test_token_ids_of_a_file(folders, text_file, tmp_path, capsys):
    """A file is taken as it is; ``every`` puts a BOS before each of its windows, and no second one."""
    path, ids = tmp_path / "ids.npy", tiny_ids(4, 12)
    np.save(path, ids)
    drawn = {}
    for rule in BOS_RULES:
        loaded = load_model(folders["adds"], device="cpu", bos=rule)
        drawn[rule] = draw(Calibration(str(path), bos=rule), loaded, Assets(None))
    assert np.array_equal(drawn[NONE].ids, ids) and np.array_equal(drawn[FIRST].ids, ids)
    assert np.array_equal(drawn[EVERY].ids, np.concatenate([np.full((4, 1), BOS), ids], axis=1))
    np.save(path, drawn[EVERY].ids)
    with pytest.raises(SparsitySolverError, match="begin with the BOS token already, .* give --bos first"):
        draw(Calibration(str(path), bos=EVERY), loaded, Assets(None))
    draws = ["--calibration", text_file, "--nsamples", 3, "--seqlen", 12, "--out", path]
    output(capsys, "sample", folders["gemma"], *draws)
    assert np.load(path).shape == (3, 12) and json.loads(Path(f"{path}.json").read_text())["bos"] == NONE
    gemma = load_model(folders["gemma"], device="cpu")
    assert (
        draw(Calibration(str(path), bos=EVERY), gemma, Assets(None)).record().items()
        >= {"bos": EVERY, "tokens": 39}.items()
    )
    np.save(path, tiny_ids(2, 64))
    with pytest.raises(SparsitySolverError, match="windows of 64 tokens; gemma takes at most 63 and a BOS before them"):
        draw(Calibration(str(path), bos=EVERY), gemma, Assets(None))


def test_statistics_are_over_the_bos_too(folders, text_file, tmp_path, capsys):
    """Its sums are those of the other tokens, seen behind it, and its own."""
    sums = {}
    for rule in (EVERY, NONE):
        options = ["--calibration", text_file, "--nsamples", 3, "--seqlen", 12, "--device", "cpu", "--bos", rule]
        assert f"of {39 if rule == EVERY else 36} tokens" in output(
            capsys, "calibrate", folders["gemma"], *options, "--out", tmp_path / rule
        )
        sums[rule] = load_file(tmp_path / rule)["layers.0.ffn_output.squares"]
    loaded = load_model(folders["gemma"], device="cpu")
    ids = draw(Calibration(str(text_file), "gptq", 3, 12, 0, bos=EVERY), loaded, Assets(None)).ids
    inputs = []
    loaded.adapter.layers[0].ffn_output.register_forward_pre_hook(lambda _, args: inputs.append(args[0].double()))
    loaded.model(torch.from_numpy(ids).long())
    assert torch.allclose(sums[EVERY], inputs[0].square().sum((0, 1)), rtol=1e-5)
    assert not torch.allclose(sums[EVERY], sums[NONE], rtol=1e-3)


def test_requests_of_a_task(folders):
    """``every`` puts there what a tokenizer that adds a BOS does; what is too long loses its beginning, not the BOS."""
    items = piqa(("w3 w4 w5 w6 w7", "w8", "w9 w10", 0), ("w11", "w12", "w13", 1))
    own = evaluate_zero_shot(load_model(folders["adds"], device="cpu"), items)
    every, none = (load_model(folders["bare"], device="cpu", bos=rule) for rule in (EVERY, NONE))
    found = evaluate_zero_shot(every, items)
    assert found.loglikelihoods == own.loglikelihoods and found.protocol["ids_sha256"] == own.protocol["ids_sha256"]
    assert (found.protocol["bos"], own.protocol["bos"]) == (EVERY, "tokenizer")
    bare = evaluate_zero_shot(none, items)
    assert bare.protocol["bos"] == NONE and bare.loglikelihoods != own.loglikelihoods
    assert (
        evaluate_zero_shot(load_model(folders["adds"], device="cpu", bos=NONE), items).loglikelihoods
        == bare.loglikelihoods
    )
    for length in (64, 4, 2):
        scored = evaluate_zero_shot(every, items, max_length=length)
        rewarded = choice_loglikelihoods(every.adapter, choice_requests(every, items, length))
        assert np.allclose(np.ravel(scored.loglikelihoods), rewarded, atol=1e-5)
        fed = [row for batch in choice_requests(every, items, length).batches for row in batch.ids.tolist()]
        assert all(row[0] == BOS and len(row) <= length for row in fed)


@pytest.mark.parametrize("rule", [NONE, EVERY])
def test_searched_and_pruned_records_say_it(rule, folders, text_file, tmp_path, capsys):
    """A model pruned by one rule may be evaluated by another: both stand in the cell."""
    shared = ["--calibration", text_file, "--nsamples", 3, "--seqlen", 12, "--bos", rule, "--device", "cpu"]
    search = ["--text", text_file, "--reward-windows", 2, "--episodes", 3, "--algorithm", "random"]
    strategy, out, cell = tmp_path / "s.json", tmp_path / "pruned", tmp_path / "cell.json"
    output(capsys, "search", folders["adds"], *shared, *search, "--sparsity", 0.2, "--out", strategy)
    found = json.loads(strategy.read_text())["found"]
    assert found["bos"] == found["calibration"]["bos"] == rule
    method = ["--method", "sparsitysolver_recon", "--strategy", strategy, "--sparsity", 0.2, "--out", out]
    output(capsys, "prune", folders["adds"], *shared, *method)
    assert json.loads((out / "pruning.json").read_text())["reconstruction"]["bos"] == rule
    output(capsys, "evaluate", out, "--task", text_file, "--seqlen", 12, "--device", "cpu", "--out", cell)
    record = json.loads(cell.read_text())
    assert (record["reconstruction"]["bos"], record["fingerprint"]["bos"]) == (rule, "tokenizer")


@pytest.mark.parametrize(
    ("name", "key"), [("gemma3-270m", "dense_bos"), ("gemma3-270m", "dense"), ("smollm2-135m", "dense")]
)
def test_pretrained_models(name, key, tmp_path, capsys):
    """The perplexities of an independent implementation, in float32."""
    folder = Path(os.environ.get("SPARSITYSOLVER_REAL_MODELS", SHARED.parent / "real_models")) / name
    if not folder.is_dir() or not TEXT.is_file():
        pytest.skip(f"no model at {folder}, or no text at {TEXT}; set SPARSITYSOLVER_REAL_MODELS")
    expected = json.loads((TEXT.parent / "expected.json").read_text())[name][key]
    rule = ["--bos", FIRST] if (name, key) == ("gemma3-270m", "dense") else []
    command = ["evaluate", folder, "--task", TEXT, "--seqlen", 512, "--dtype", "float32", "--device", "cpu"]
    assert json.loads(output(capsys, *command, "--json", *rule))["ppl"] == pytest.approx(expected, rel=1e-4)
