"""The command line: what users get right is a model again."""

import json
import subprocess
import sys

import numpy as np
import pytest
from commands import EVALUATE, MODEL, PRUNE, SEARCH, ZERO_SHOT, failure, output
from tiny import tiny_text

from sparsitysolver import commands
from sparsitysolver.cli import build_parser
from sparsitysolver.config.assets import Assets
from sparsitysolver.data import minilang
from sparsitysolver.data.items import load_items
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.loading import load_model
from sparsitysolver.records.files import read_record, write_json
from sparsitysolver.statistics.collect import load_statistics

pytestmark = pytest.mark.filterwarnings("ignore")


def test_prune_and_evaluate(place, capsys):
    dense = json.loads(output(capsys, *EVALUATE, "--json", "--out", "dense.json"))
    assert (dense["tokens"], dense["windows"], dense["achieved_sparsity"]) == (1001, 62, 0.0)
    output(capsys, *PRUNE, "--method", "uniform")
    pruned = json.loads(output(capsys, "evaluate", "out", *EVALUATE[2:], "--json", "--out", "cell.json"))
    assert pruned["fingerprint"] == dense["fingerprint"] and pruned["ppl"] != dense["ppl"]
    assert 0.2 <= pruned["achieved_sparsity"] < 0.3
    assert "out is pruned already" in failure(
        capsys, "prune", "out", "--out", "again", *PRUNE[4:], "--method", "uniform"
    )
    cell = read_record("cell.json", "cell")
    assert (cell["method"], cell["sparsity"], cell["calibration"]["source"]) == ("uniform", 0.2, "ids.npy")
    assert cell["metrics"]["ppl"]["value"] == pruned["ppl"]
    dense = read_record("dense.json", "cell")
    assert (dense["method"], dense["split"]) == ("dense", "test") and "samples" not in dense
    text = {"dataset", "revision", "text_sha256", "split", "join", "seqlen", "tokens", "windows"}
    assert dense["fingerprint"].keys() == text | {"bos", "eos", "ids_sha256", "dtype"}  # and nothing of items


def test_zero_shot_of_a_dense_and_a_pruned_model(place, capsys):
    options = ("--task", "mini_piqa", "--limit", "12", "--seqlen", "32", "--json", "--out")
    dense = json.loads(output(capsys, "evaluate", MODEL, *options, "dense.json"))
    assert (dense["n"], dense["split"], dense["achieved_sparsity"]) == (12, "report", 0.0)
    output(capsys, *PRUNE, "--method", "uniform")
    pruned = json.loads(output(capsys, "evaluate", "out", *options, "cell.json"))
    assert pruned["fingerprint"] == dense["fingerprint"] and 0.2 <= pruned["achieved_sparsity"] < 0.3
    cell = read_record("cell.json", "cell")
    assert (cell["method"], cell["task"], cell["split"]) == ("uniform", "mini_piqa", "report")
    assert cell["samples"]["loglikelihoods"] != read_record("dense.json", "cell")["samples"]["loglikelihoods"]
    for metric in ("acc", "acc_norm"):
        measured = cell["metrics"][metric]
        assert (measured["value"], measured["n"]) == (pytest.approx(np.mean(cell["samples"][metric])), 12)
        assert measured["value"] == pruned[metric] and measured["stderr"] == pruned[f"{metric}_stderr"]
    ids = cell["fingerprint"].pop("ids_sha256")
    assert ids == read_record("dense.json", "cell")["fingerprint"]["ids_sha256"] and len(ids) == 64
    items = {"items_sha256": load_items("mini_piqa", "report", Assets(None), 12).sha256, "items": 12, "split": "report"}
    data = {"kind": "zero_shot", "dataset": "mini", "revision": "bundled", **items}
    protocol = {"task_version": "1.0", "harness": "lm_eval 0.4.13", "fewshot": 0, "batch_size": 8, "seqlen": 32}
    assert cell["fingerprint"] == data | protocol | {"bos": "tokenizer", "eos": "none", "dtype": "float32"}
    assert set(cell["leakage"].values()) == {None}  # the ids come from no recorded text, and may be the task's own


def test_zero_shot_items_of_an_assets_folder_by_parts(place, capsys):
    (place / "assets" / "tasks").mkdir()
    lines = [json.dumps(record) for record in minilang.items("boolq", "test")[:40]]
    (place / "assets" / "tasks" / "boolq.jsonl").write_text("\n".join(lines))
    found = {}
    for part in ("report", "search", "all"):
        options = ("--task", "boolq", "--items", part, "--json", "--out", "cell.json")
        found[part] = json.loads(output(capsys, "evaluate", MODEL, *options))
        fingerprint = read_record("cell.json", "cell")["fingerprint"]
        assert (fingerprint["dataset"], fingerprint["revision"], fingerprint["split"]) == ("boolq", "assets", part)
    assert "acc_norm" not in found["all"]
    assert found["report"]["n"] + found["search"]["n"] == found["all"]["n"] == 40
    right = {part: round(one["acc"] * one["n"]) for part, one in found.items()}
    assert right["report"] + right["search"] == right["all"]
    assert len({one["fingerprint"] for one in found.values()}) == 3


def test_a_cell_of_accuracy_is_checked(place, capsys):
    output(capsys, *ZERO_SHOT, "--limit", "3", "--out", "cell.json")
    cell = read_record("cell.json", "cell")
    without = {name: value for name, value in cell["fingerprint"].items() if name != "items_sha256"}
    wrong = {"zero_shot": {"kind": "perplexity"}, "report": {"split": "test"}}
    for word, found in {"items_sha256": without, **{w: cell["fingerprint"] | one for w, one in wrong.items()}}.items():
        write_json("cell.json", cell | {"fingerprint": found})
        with pytest.raises(SparsitySolverError, match=f"is not a valid cell: .*fingerprint.*{word}"):
            read_record("cell.json", "cell")


def test_search_and_prune_by_its_strategy(place, capsys):
    options = (*SEARCH, "--episodes", "15", "--reward-windows", "2")
    output(capsys, *options[:3], "s.json", *options[4:])
    strategy = read_record("s.json", "strategy")
    assert (place / "s.curve.csv").is_file() and not (place / "s.checkpoint").exists()
    output(capsys, *PRUNE, "--method", "sparsitysolver", "--strategy", "s.json")
    assert load_model("out", device="cpu").structure["groups"] == [u["kept"] for u in strategy["units"][::2]]
    assert "not for 0.3" in failure(
        capsys, *PRUNE[:-1], "0.3", "--method", "sparsitysolver", "--strategy", "s.json", "--out", "other"
    )


def test_n_of_m_patterns(place, capsys):
    output(capsys, *PRUNE[:-2], "--method", "wanda", "--pattern", "2:4", "--seqlen", "16")
    evaluated = json.loads(output(capsys, "evaluate", "out", *EVALUATE[2:], "--json"))
    assert evaluated["achieved_sparsity"] == 0.5
    assert json.loads((place / "out" / "pruning.json").read_text())["pattern"] == "2:4"
    for _, linear in load_model("out", device="cpu").adapter.prunable_linears():
        assert (linear.weight.reshape(-1, 4).count_nonzero(dim=1) == 2).all()


def test_an_unstructured_search_and_both_prunings_by_it(place, capsys):
    """The static masks are those the search scored; --granularity chooses the method's unstructured row."""
    options = ("--granularity", "unstructured", "--episodes", "15", "--reward-windows", "0")
    output(capsys, *SEARCH[:3], "s.json", *SEARCH[4:], *options)
    strategy = read_record("s.json", "strategy")
    found = strategy["found"]
    assert (strategy["granularity"], len(strategy["units"])) == ("unstructured", 21)
    chosen = next(c for c in found["candidates"] if c["name"] == found["chosen"])
    output(capsys, *PRUNE, "--method", "sparsitysolver_unstructured_static", "--strategy", "s.json", "--out", "static")
    static = json.loads(output(capsys, "evaluate", "static", *EVALUATE[2:], "--split", "validation", "--json"))
    assert static["ppl"] == pytest.approx(chosen["reward_ppl"], rel=1e-6)
    output(capsys, *PRUNE, "--method", "sparsitysolver", "--strategy", "s.json", "--out", "anew")
    assert json.loads((place / "anew" / "pruning.json").read_text())["method"] == "sparsitysolver_unstructured"
    assert "give --granularity unstructured" in failure(
        capsys, *PRUNE, "--method", "uniform", "--strategy", "s.json", "--out", "other"
    )


def test_statistics_are_of_a_granularity(place, capsys):
    """Those of one are refused where another is needed; by its own an allocator finds what it finds without a file."""
    calibrate = ("calibrate", MODEL, "--calibration", "ids.npy", "--out")
    output(capsys, *calibrate, "narrow.safetensors")
    output(capsys, *calibrate, "wide.safetensors", "--granularity", "unstructured")
    owl = (*PRUNE, "--method", "owl", "--out")
    error = failure(capsys, *owl, "a", "--stats", "narrow.safetensors")
    assert "no moments of 'query': it was made for another granularity" in error
    for name, options in (("b", ("--stats", "wide.safetensors")), ("c", ())):
        output(capsys, *owl, name, *options)
    strategies = [json.loads((place / name / "pruning.json").read_text())["strategy"] for name in "bc"]
    assert strategies[0] == strategies[1]


def test_bench_of_an_unstructured_episode(capsys):
    options = ("--granularity", "unstructured", "--reward-windows", "2", "--seqlen", "16", "--rounds", "1", "--json")
    result = json.loads(output(capsys, "bench", "episode", MODEL, "--calibration", "ids.npy", *options))
    assert result["episodes"] == 15 and result["ratio_to_dense_forward"] > 0
    assert result["rank_bytes_per_weight"] == 1


def test_prune_searches_with_the_options_of_a_search(place, capsys):
    (place / "reward.txt").write_text(tiny_text(500, seed=9))
    options = ("--episodes", "15", "--seqlen", "16", "--reward-windows", "3", "--text", "reward.txt")
    options += ("--reward", "dense_ratio", "--a-min", "0.4")
    output(capsys, *PRUNE, "--method", "sparsitysolver", *options, "--out", "m-0.2")
    found = json.loads((place / "m-0.2" / "pruning.json").read_text())["strategy"]["found"]
    assert (found["reward_windows"], found["reward"], found["a_min"]) == (3, "dense_ratio", 0.4)
    assert found["text"] == "reward.txt"
    assert (place / "m-0.2.strategy.curve.csv").is_file()


def test_sample_and_calibrate(place, capsys):
    output(capsys, "sample", MODEL, "--nsamples", "5", "--seqlen", "16", "--out", "drawn.npy")
    assert np.load("drawn.npy").shape == (5, 16)
    output(capsys, "calibrate", MODEL, "--calibration", "drawn.npy", "--out", "s.safetensors")
    model = load_model(MODEL, device="cpu").model_sha256
    assert load_statistics("s.safetensors", model).tokens == 80
    output(capsys, *PRUNE, "--calibration", "drawn.npy", "--method", "uniform", "--stats", "s.safetensors")
    error = failure(capsys, *PRUNE, "--method", "uniform", "--stats", "s.safetensors", "--out", "other")
    assert "ids_sha256" in error


def test_customary_names_are_aliases():
    args = build_parser().parse_args(["prune", "m", "--prune_method", "flap", "--sparsity_ratio", "0.3", "--save", "x"])
    assert (args.method, args.sparsity, args.out) == ("flap", 0.3, "x")


HELP = """
import contextlib, io, sys
from sparsitysolver.cli import main
for command in sys.argv[1:]:
    text = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(text):
        main([*command.split(), "--help"])
    assert "usage: sparsitysolver" in text.getvalue(), command
print(sorted({"torch", "transformers", "datasets", "stable_baselines3"} & set(sys.modules)))
"""


def test_help_is_quick():
    every = ["", *commands.GROUPS, *commands.COMMANDS]
    result = subprocess.run([sys.executable, "-c", HELP, *every], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_the_module_runs_as_a_command():
    command = [sys.executable, "-m", "sparsitysolver.cli", "evaluate", "m", "--threads", "0"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "sparsitysolver: error: 0 threads asked for; at least 1 is needed.\n"
    assert result.stdout == ""


def test_threads_are_all_cores_unless_the_command_or_the_environment_says_otherwise(monkeypatch):
    monkeypatch.setattr(commands, "cores_here", lambda: 6)
    monkeypatch.delenv("SPARSITYSOLVER_THREADS", raising=False)
    command = ["evaluate", "opt-tiny"]
    assert build_parser().parse_args(command).threads == 6
    assert build_parser().parse_args([*command, "--threads", "2"]).threads == 2
    monkeypatch.setenv("SPARSITYSOLVER_THREADS", "3")
    assert build_parser().parse_args(command).threads == 3
