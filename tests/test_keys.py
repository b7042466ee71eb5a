"""A key stands for everything that decides a number, and for nothing else: contents, not places."""

import json
import os
import shutil

import pytest
from planned import make_assets

from sparsitysolver.config import registry
from sparsitysolver.config.assets import Assets, asset_model
from sparsitysolver.config.grid import Cell, Grid
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import deciding_files, model_sha256, weight_files, weights_sha256
from sparsitysolver.models.loading import resolve_model
from sparsitysolver.plans import identities
from sparsitysolver.plans.artefacts import Artefacts

LARGE = 3 << 20  # bytes; such a file's hash is kept, smaller ones are read each time


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of hashes of the test's own."""
    monkeypatch.delenv("SPARSITYSOLVER_ASSETS", raising=False)
    monkeypatch.setenv("SPARSITYSOLVER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """An assets folder."""
    return make_assets(tmp_path / "assets")


def plan(folder, **config):
    """Path of a cell of every kind on model ``a``, as the next call of Snakemake would have it."""
    artefacts = Artefacts(Grid({"grid": "local", "assets": str(folder), **config}))
    cells = {
        "dense": Cell("a", "dense", "0", "0", "wikitext2"),
        "wanda": Cell("a", "wanda", "0.5", "0", "wikitext2"),
        "ours": Cell("a", "sparsitysolver", "0.2", "0", "wikitext2"),
        "task": Cell("a", "dense", "0", "0", "boolq"),
        "searched on task": Cell("a", "sparsitysolver_task", "0.7", "0", "boolq"),
    }
    return {name: artefacts.evaluate(cell).path for name, cell in cells.items()}


def changed(before, after):
    """Names of cells whose paths differ."""
    return {name for name in before if before[name] != after[name]}


ALL = {"dense", "wanda", "ours", "task", "searched on task"}


@pytest.mark.parametrize(
    "name",
    [
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
        *("tokenizer.model", "merges.txt", "vocab.txt", "vocab.bpe", "spiece.model", "tekken.json", "qwen.tiktoken"),
        "config.json",
    ],
)
def test_whatever_a_tokenizer_or_model_reads_counts(name, folder):
    before = plan(folder)
    (folder / "models" / "a" / name).write_text('{"changed": 1}')
    assert changed(before, plan(folder)) == ALL


@pytest.mark.parametrize(
    "name",
    [
        *("generation_config.json", "README.md", "LICENSE", ".gitattributes", "trainer_state.json"),
        *("optimizer.pt", "pytorch_model.bin", "tf_model.h5", "model.gguf", "model.fp16.safetensors"),
        *("adapter_config.json", "adapter_model.safetensors"),
    ],
)
def test_what_nothing_reads_does_not_count(name, folder):
    """Weights in a form that is not read, because safetensors lie beside them, are among these."""
    before = plan(folder)
    (folder / "models" / "a" / name).write_text("{}")
    assert not changed(before, plan(folder))
    assert weights_sha256(folder / "models" / "a") == weights_sha256(folder / "models" / "a")


def test_a_change_in_the_middle_of_large_weights_counts(folder):
    path = folder / "models" / "a" / "model.safetensors"
    path.write_bytes(bytes(LARGE))
    before = plan(folder)
    with path.open("r+b") as handle:
        handle.seek(LARGE // 2)
        handle.write(b"x")
    os.utime(path, ns=(0, 0))
    assert changed(before, plan(folder)) == ALL


def test_weights_are_those_that_transformers_reads(tmp_path):
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "consolidated.safetensors"):
        (tmp_path / name).write_bytes(name.encode())
    shards = {"weight_map": {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(shards))
    assert [path.name for path in weight_files(tmp_path)] == [
        *("model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
    ]
    sharded = weights_sha256(tmp_path)
    (tmp_path / "consolidated.safetensors").write_bytes(b"other")
    assert weights_sha256(tmp_path) == sharded
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"other")
    assert weights_sha256(tmp_path) != sharded
    (tmp_path / "model.safetensors").write_bytes(b"whole")
    assert [path.name for path in weight_files(tmp_path)] == ["model.safetensors"]
    (tmp_path / "config.json").write_text('{"transformers_weights": "consolidated.safetensors"}')
    assert [path.name for path in weight_files(tmp_path)] == ["consolidated.safetensors"]
    assert "consolidated.safetensors" in {path.name for path in deciding_files(tmp_path)}


def test_older_weight_files_count_where_they_are_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"one")
    before = weights_sha256(tmp_path)
    (tmp_path / "training_args.bin").write_bytes(b"two")
    assert weights_sha256(tmp_path) == before
    (tmp_path / "pytorch_model.bin").write_bytes(b"three")
    assert weights_sha256(tmp_path) != before


def test_what_a_model_computes_depends_on_its_configuration(folder):
    place = folder / "models" / "a"
    (place / "config.json").write_text('{"hidden_act": "relu", "torch_dtype": "float16", "transformers_version": "4"}')
    before = model_sha256(place)
    (place / "config.json").write_text('{"transformers_version": "5", "dtype": "float32", "hidden_act": "relu"}')
    assert model_sha256(place) == before
    (place / "config.json").write_text('{"hidden_act": "gelu", "torch_dtype": "float16"}')
    assert model_sha256(place) != before
    assert weights_sha256(place) == weights_sha256(place)


# --- places decide nothing -------------------------------------------------------------------------------------------


def test_another_place_spelling_or_time_changes_nothing(folder, tmp_path):
    before = plan(folder)
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path)
    assert plan(folder) == before
    assert plan(folder / ".." / folder.name / ".") == before
    shutil.copytree(folder, tmp_path / "copy")
    shutil.move(folder, tmp_path / "moved")
    assert plan(tmp_path / "copy") == plan(tmp_path / "moved") == before


def test_no_option_of_a_job_holds_the_place_of_the_assets(folder):
    artefacts = Artefacts(Grid({"grid": "local", "assets": str(folder)}))
    assert artefacts.identities.model_argument("a") == "assets:a"
    cell = Cell("a", "sparsitysolver", "0.2", "0", "wikitext2")
    options = [artefacts.command(job) for job in (artefacts.search(cell), artefacts.prune(cell))]
    assert not any(str(folder) in option for option in options)


def test_files_beside_a_text_are_not_of_it(folder):
    before = plan(folder)
    (folder / "wikitext2" / "notes.md").write_text("stray")
    (folder / "wikitext2" / "old").mkdir()
    (folder / "c4" / "list.txt").write_text("stray")
    (folder / "c4" / "old.jsonl").mkdir()
    assert plan(folder) == before
    (folder / "c4" / "more.jsonl").write_text('{"text": "y"}')
    assert changed(before, plan(folder)) == {"wanda", "searched on task"}


@pytest.mark.parametrize("link", [True, False])
def test_a_model_of_the_assets_has_the_name_that_its_folder_has_there(link, folder):
    place = folder / "models" / "named"
    if link:
        place.symlink_to(folder / "models" / "a")
    else:
        shutil.copytree(folder / "models" / "a", place)
    source = resolve_model(asset_model("named"), Assets(folder))
    assert (source.name, source.location) == ("named", str(place))
    assert resolve_model(str(place), Assets(None)).name == "named"


def test_jobs_find_the_assets_in_their_environment(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    Assets(folder.relative_to(folder.parent)).to_environment()
    assert Assets.from_environment().folder == folder
    Assets(None).to_environment()
    assert Assets.from_environment().folder is None


# --- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [{"metric": "acc_norm"}, {"harness_task": "boolq_other"}, {"fields": "passage:text"}])
def test_how_a_task_is_scored_concerns_its_cells(field, folder, monkeypatch):
    before = plan(folder)
    rows = tasks_table() | {"boolq": tasks_table()["boolq"].model_copy(update=field)}
    monkeypatch.setattr(registry, "tasks_table", lambda: rows)
    monkeypatch.setattr(identities, "tasks_table", lambda: rows)
    assert changed(before, plan(folder)) == {"task", "searched on task"}


def test_another_revision_of_a_data_set_concerns_its_cells(monkeypatch):
    grid = Grid({"grid": "opt125m"})
    before = identities.Identities(grid).text("wikitext2")
    rows = registry.datasets_table()
    other = rows | {"wikitext2": rows["wikitext2"].model_copy(update={"config": "wikitext-2-v1"})}
    monkeypatch.setattr(identities, "datasets_table", lambda: other)
    assert identities.Identities(grid).text("wikitext2") != before


# --- who answers a search's prompts ----------------------------------------------------------------------------------


def prompted(folder, **config):
    """Path of the strategy that Self-Pruner finds."""
    artefacts = Artefacts(Grid({"grid": "local", "assets": str(folder), **config}))
    return artefacts.search(Cell("a", "self_pruner", "0.3", "0", "wikitext2")).path


def test_a_recorded_conversation_counts_by_its_content(folder, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.chat.jsonl").write_text('{"reply": 1}')
    before = prompted(folder, replay=str(tmp_path / "one.chat.jsonl"))
    assert prompted(folder, replay=str(tmp_path / "two.chat.jsonl")) == before
    (tmp_path / "two.chat.jsonl").write_text('{"reply": 2}')
    assert prompted(folder, replay=str(tmp_path / "two.chat.jsonl")) != before
    with pytest.raises(SparsitySolverError, match=r"replay=none\.jsonl: no recorded conversation there"):
        prompted(folder, replay="none.jsonl")


@pytest.mark.parametrize("name", ["model.safetensors", "generation_config.json", "chat_template.jinja"])
def test_a_chat_model_of_a_folder_counts_by_its_content(name, folder, tmp_path):
    shutil.copytree(folder / "models" / "b", tmp_path / "chat")
    before = prompted(folder, chat_model=str(tmp_path / "chat"))
    assert prompted(folder, chat_model=str(folder / "models" / "b")) == before
    (tmp_path / "chat" / name).write_text('{"other": 1}')
    assert prompted(folder, chat_model=str(tmp_path / "chat")) != before


def test_an_endpoint_counts_by_its_model_and_public_address(folder, monkeypatch):
    asked = {"chat_model": "x", "chat_url": "http://127.0.0.1:9/v1"}
    before = prompted(folder, **asked)
    monkeypatch.setenv("SPARSITYSOLVER_CHAT_URL", "http://user:secret@127.0.0.1:9/v1?key=k")
    assert prompted(folder, chat_model="x") == before
    assert prompted(folder, chat_model="y") != before
