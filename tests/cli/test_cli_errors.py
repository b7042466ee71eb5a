"""The command line: what users get wrong is one sentence and status 2."""

import shutil

import numpy as np
import pytest
from commands import EVALUATE, MODEL, PRUNE, SEARCH, ZERO_SHOT, failure
from tiny import tiny_ids

from sparsitysolver.records.files import write_json

pytestmark = pytest.mark.filterwarnings("ignore")


BAD = {
    "method": ("did you mean uniform", (*PRUNE, "--method", "unifrom")),
    "sparsity above": ("1.5", (*PRUNE, "--method", "flap", "--sparsity", "1.5")),
    "sparsity in percent": ("for 50% give 0.5", (*PRUNE, "--method", "flap", "--sparsity", "50")),
    "sparsity nothing": ("sparsity 0.0", (*PRUNE, "--method", "flap", "--sparsity", "0")),
    "sparsity below": ("sparsity -0.1", (*PRUNE, "--method", "flap", "--sparsity", "-0.1")),
    "sparsity nan": ("sparsity nan", (*PRUNE, "--method", "flap", "--sparsity", "nan")),
    "criterion": ("structured criterion 'l3'", (*PRUNE, "--method", "uniform", "--criterion", "l3")),
    "model": ("no model folder at ./nope", ("prune", "./nope", *PRUNE[2:], "--method", "flap")),
    "cut model": ("cut", ("evaluate", "./cut", *EVALUATE[2:])),
    "task": ("wikitext2", ("evaluate", MODEL, "--task", "wikitxt2")),
    "split": ("unknown split 'dev'", (*EVALUATE, "--split", "dev")),
    "missing items": ("tasks/piqa.jsonl", ("evaluate", MODEL, "--task", "piqa")),
    "zero-shot task": ("did you mean mini_piqa", ("evaluate", MODEL, "--task", "mini_pika")),
    "part": ("part of the items 'test'", (*ZERO_SHOT, "--items", "test")),
    "limit": ("401 items of mini_boolq asked for; the part 'report' has 400", (*ZERO_SHOT, "--limit", "401")),
    "batch size": ("batch size 0", (*ZERO_SHOT, "--batch-size", "0")),
    "windows of items": ("--windows is an option of perplexity tasks", (*ZERO_SHOT, "--windows", "3")),
    "split of items": ("--items, --limit, --batch-size", (*ZERO_SHOT, "--split", "test")),
    "items of a text": ("--items is an option of zero-shot tasks", (*EVALUATE, "--items", "all")),
    "limit of a text": ("takes --split, --windows", (*EVALUATE, "--limit", "3")),
    "short text": ("short.txt", ("evaluate", MODEL, "--task", "./short.txt")),
    "windows": ("900 windows asked for", (*EVALUATE, "--windows", "900")),
    "seqlen": ("window length 4096", ("evaluate", MODEL, "--task", "wikitext2", "--seqlen", "4096")),
    "hub": ("facebook/opt-125m", ("evaluate", "facebook/opt-125m", "--task", "wikitext2")),
    "assets": ("assets folder nowhere does not exist", (*EVALUATE, "--assets", "nowhere")),
    "algorithm": ("did you mean ppo", (*SEARCH, "--algorithm", "pppo", "--episodes", "15")),
    "episodes": ("0 episodes", (*SEARCH, "--episodes", "0")),
    "reward windows": ("-1 reward windows asked for", (*SEARCH, "--reward-windows", "-1")),
    "reward items": ("-3 reward items asked for", (*SEARCH, "--reward-items", "-3")),
    "granularity": ("granularity", (*SEARCH, "--granularity", "structred")),
    "pattern": ("N:M with 0 < N < M", (*PRUNE[:-2], "--method", "wanda", "--pattern", "4:2")),
    "pattern that does not divide": ("the 32 columns", (*PRUNE[:-2], "--method", "wanda", "--pattern", "2:5")),
    "pattern and sparsity": ("gives sparsity 0.5, and 0.2", (*PRUNE, "--method", "wanda", "--pattern", "2:4")),
    "pattern of a method": ("'owl' has no N:M pattern", (*PRUNE[:-2], "--method", "owl", "--pattern", "2:4")),
    "method's granularity": ("structured; unstructured", (*PRUNE, "--method", "flap", "--granularity", "unstructured")),
    "reward's task": ("name it by --task", (*SEARCH, "--reward", "accuracy")),
    "unknown reward's task": ("did you mean boolq", (*SEARCH, "--reward", "accuracy", "--task", "bolq")),
    "reconstruction's task": (
        "name the task by --task",
        (*PRUNE[:4], "--method", "sparsitysolver_recon_task", "--episodes", "15", "--text", "t.txt"),
    ),
    "bounds": ("a_min", (*SEARCH, "--a-min", "0.95")),
    "prune's episodes": ("0 episodes", (*PRUNE, "--method", "sparsitysolver", "--episodes", "0")),
    "other strategy": ("strategy", (*PRUNE, "--method", "sparsitysolver", "--strategy", "other.json")),
    "broken strategy": ("strategy", (*PRUNE, "--method", "sparsitysolver", "--strategy", "broken.json")),
    "needless strategy": ("takes no --strategy", (*PRUNE, "--method", "slicegpt", "--strategy", "other.json")),
    "calibration": ("calibration file at nothing.npy", (*PRUNE, "--method", "flap", "--calibration", "nothing.npy")),
    "long calibration": ("windows of 80 tokens", (*PRUNE, "--method", "flap", "--calibration", "long.npy")),
    "foreign calibration": ("another tokenizer", (*PRUNE, "--method", "flap", "--calibration", "foreign.npy")),
    "nsamples": ("0 calibration windows", (*PRUNE[:4], "--method", "flap", "--nsamples", "0")),
    "statistics": ("no statistics file", (*PRUNE, "--method", "uniform", "--stats", "nothing.safetensors")),
    "option": ("name=value", (*PRUNE, "--method", "flap", "--set", "ridge")),
    "option's value": ("ridge=x", (*PRUNE, "--method", "uniform_recon", "--set", "ridge=x")),
    "device": ("device 'gpu'", (*EVALUATE, "--device", "gpu")),
    "dtype": ("did you mean float16", (*EVALUATE, "--dtype", "flaot16")),
    "threads": ("0 threads", (*EVALUATE, "--threads", "0")),
    "sample's seqlen": ("window length 0", ("sample", MODEL, "--seqlen", "0", "--calibration", "mini", "--out", "out")),
    "sampler": ("did you mean gptq", ("sample", MODEL, "--sampler", "gptk", "--out", "out")),
}


@pytest.fixture
def wrong(place):
    """Broken things that the bad inputs name."""
    cut = shutil.copytree(MODEL, place / "cut") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:5000])
    (place / "short.txt").write_text("hi\n")
    (place / "broken.json").write_text("{")
    write_json(place / "other.json", {"model": "x", "units": []})
    np.save(place / "long.npy", tiny_ids(2, 80))
    np.save(place / "foreign.npy", tiny_ids(2, 16) + 1000)


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name, wrong, place, capsys, monkeypatch):
    word, command = BAD[name]
    if name == "hub":
        monkeypatch.delenv("SPARSITYSOLVER_ASSETS")
    if name == "sampler":
        command = (*command, "--calibration", "wikitext2")
    assert word in failure(capsys, *command)
    left = {path.name for path in place.iterdir()}
    assert left == {"assets", "ids.npy", "cut", "short.txt", "broken.json", "other.json", "long.npy", "foreign.npy"}


def test_a_folder_that_holds_something_is_not_overwritten(place, capsys):
    """Nor the model's own."""
    shutil.copytree(MODEL, place / "model")
    before = sorted((place / "model").iterdir())
    command = ("prune", "model", *PRUNE[2:], "--method", "uniform", "--out", "model")
    assert "model exists and is not empty" in failure(capsys, *command)
    assert sorted((place / "model").iterdir()) == before
