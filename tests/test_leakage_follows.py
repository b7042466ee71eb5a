"""Whatever an artefact has seen travels with it, down to the cells of what is made from it."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open
from tiny import tiny_folder, tiny_texts

from sparsitysolver.chat.conversation import read_conversation
from sparsitysolver.cli import main
from sparsitysolver.records.columns import LEAKAGE
from sparsitysolver.records.files import read_json, read_record, write_json
from sparsitysolver.records.seen import CALIBRATION, REWARD, unknown
from sparsitysolver.search.agents import load_agent, save_agent

pytestmark = pytest.mark.filterwarnings("ignore")
LLAMA, OPT = str(tiny_folder("llama")), str(tiny_folder("opt"))
DRAWN = ("--calibration", "wikitext2", "--nsamples", "4", "--seqlen", "16")
SEARCH = ("--sparsity", "0.2", "--episodes", "15", "--reward-windows", "2", "--a-min", "0.3", "--a-max", "1")
SPLITS = ("validation", "test")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with texts, and searches that were rewarded on validation text or on the test text."""
    folder = tmp_path_factory.mktemp("leaks")
    tiny_texts(folder / "assets", 600)
    for split in SPLITS:
        searched(folder, split, "--reward-split", split)
        measuring = ("--algorithm", "surrogate", "--episodes", "40")  # enough for a round of measurements
        searched(folder, f"{split}-table", *measuring, "--reward-split", split)
    return folder


@pytest.fixture
def place(made, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(made, tmp_path / "place")


def run(folder, *command):
    assert main([str(part) for part in (*command, "--assets", folder / "assets")]) == 0


def searched(folder, name, *options, model=LLAMA):
    run(folder, "search", model, *SEARCH, *DRAWN, *options, "--out", folder / f"{name}.json")
    return folder / f"{name}.json"


def pruned(folder, *options, model=LLAMA, sparsity="0.2"):
    out = folder / "pruned"
    shutil.rmtree(out, ignore_errors=True)
    run(folder, "prune", model, "--method", "sparsitysolver", "--sparsity", sparsity, *DRAWN, *options, "--out", out)
    return out


def flags(folder, model, task=("--task", "wikitext2")):
    """The leakage flags of a model's cell: calibrated on the domain, searched on the split, saw the task."""
    run(folder, "evaluate", model, *task, "--seqlen", "16", "--out", folder / "cell.json")
    return tuple(read_record(folder / "cell.json", "cell")["leakage"][flag] for flag in LEAKAGE)


def flags_of(folder, strategy, **options):
    return flags(folder, pruned(folder, "--strategy", strategy, **options))


def rewards(record):
    return {(one["source"], one["part"]) for one in record["seen"] if one["role"] == REWARD}


def test_a_search(place):
    assert flags_of(place, place / "validation.json") == (True, False, False)
    assert flags_of(place, place / "test.json") == (True, True, False)
    entry = next(one for one in read_json(place / "test.json", "strategy")["seen"] if one["role"] == CALIBRATION)
    assert (entry["source"], entry["part"], len(entry["sha256"])) == ("wikitext2", "train", 64)


def test_an_agent_that_is_reused(place):
    """And reused again, long after: nothing is forgotten."""
    once = searched(place, "once", "--warm-start", place / "test.agent")
    again = searched(place, "again", "--warm-start", place / "once.agent")
    assert rewards(read_record(again, "strategy")) == {("wikitext2", split) for split in SPLITS}
    assert flags_of(place, once)[1] is True and flags_of(place, again)[1] is True
    clean = searched(place, "clean", "--warm-start", place / "validation.agent")
    assert flags_of(place, clean)[1] is False


@pytest.mark.parametrize("split", SPLITS)
def test_a_strategy_solved_from_effects_and_one_of_another_model(place, split):
    run_strategy("solve", place / f"{split}-table.effects.json", "--sparsity", "0.15", "--out", place / "solved.json")
    assert rewards(read_record(place / "solved.json", "strategy")) == {("wikitext2", split)}
    assert flags_of(place, place / "solved.json", sparsity="0.15")[1] is (split == "test")
    options = ("--assets", place / "assets", "--out", place / "moved.json")
    run_strategy("transfer", place / f"{split}.json", OPT, *options)
    assert flags_of(place, place / "moved.json", model=OPT)[1] is (split == "test")


def run_strategy(*command):
    assert main(["strategy", *map(str, command)]) == 0


def test_an_imported_strategy_is_not_known(place):
    """Nor is what this project exported: a table of ratios has no record."""
    run_strategy("export", place / "test.json", "--out", place / "ratios.csv")
    options = ("--granularity", "structured", "--sparsity", "0.2", "--project", "--out", place / "imported.json")
    run_strategy("import", place / "ratios.csv", LLAMA, *options)
    folder = pruned(place, "--strategy", place / "imported.json")
    assert flags(place, folder) == (True, None, False)  # its own windows are known, and from the evaluated data set


def test_a_search_within_prune(place):
    options = (*SEARCH[2:], "--reward-split", "test")
    folder = pruned(place, *options)
    assert flags(place, folder)[1] is True
    assert rewards({"seen": load_agent(f"{folder}.strategy.agent").seen}) == {("wikitext2", "test")}


def test_an_accuracy(place):
    """Search and calibration never met the task; a strategy that came from anywhere may have."""
    task = ("--task", "mini_boolq", "--limit", "2")
    folder = pruned(place, "--strategy", place / "test.json")
    assert flags(place, folder, task) == (False, False, False)
    without(folder / "pruning.json", "seen")
    assert flags(place, folder, task) == (None, None, None)


def test_a_conversation_that_is_replayed(place, serve):
    """Taken up by a search on other text, or replayed by one: its first replies were made for the leaky search."""
    talk = ("--algorithm", "self_pruner", "--chat-url", serve().url, "--chat-model", "rules")
    searched(place, "talk", *talk, "--reward-split", "test")
    assert rewards({"seen": read_conversation(place / "talk.chat.jsonl")[0].seen}) == {("wikitext2", "test")}
    replay = ("--algorithm", "self_pruner", "--replay", place / "talk.chat.jsonl")
    assert flags_of(place, searched(place, "replayed", *replay))[1] is True
    assert flags_of(place, searched(place, "talk", *talk))[1] is True
    for line in (lines := [json.loads(one) for one in (place / "talk.chat.jsonl").read_text().splitlines()]):
        del line["seen"]
    (place / "talk.chat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert flags_of(place, searched(place, "replayed", *replay))[1] is None


# --- artefacts of older versions, and folders without a record: not known -------------------------------------------


def without(path, name):
    record = read_json(path, "record")
    del record[name]
    write_json(path, record)


def test_records_of_older_versions_are_not_known(place):
    without(place / "validation.json", "seen")
    assert flags_of(place, place / "validation.json") == (True, None, False)
    without(place / "test-table.effects.json", "seen")
    run_strategy("solve", place / "test-table.effects.json", "--sparsity", "0.2", "--out", place / "solved.json")
    assert read_record(place / "solved.json", "strategy")["seen"] == [unknown()]
    run_strategy("transfer", place / "validation.json", OPT, "--out", place / "moved.json")
    assert read_record(place / "moved.json", "strategy")["seen"] == [unknown()]


def test_an_agent_of_an_older_version_is_not_known(place):
    with safe_open(place / "validation.agent", "pt") as handle:
        about = json.loads(handle.metadata()["sparsitysolver_agent"])
    del about["seen"], about["format"]
    save_agent(place / "old.agent", about, load_agent(place / "validation.agent").parameters)
    assert load_agent(place / "old.agent").seen == [unknown()]
    assert flags_of(place, searched(place, "reused", "--warm-start", place / "old.agent")) == (True, None, False)


def test_a_pruned_folder_without_a_record_is_not_known(place):
    folder = pruned(place, "--strategy", place / "validation.json")
    Path(folder / "pruning.json").unlink()
    assert flags(place, folder) == (None, None, False)
    assert flags(place, LLAMA) == (False, False, False)  # of a dense model nothing of this kind is claimed
