"""A key stands for everything that decides a number, and for nothing else: contents, not places."""

import json
import os
import shutil

import pytest
from planned import make_assets

from sparsitysolver.config import registry
from sparsitysolver.config.assets import BUNDLED, Assets, asset_model
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import deciding_files, folder_sha256, model_sha256, weight_files, weights_sha256
from sparsitysolver.models.source import resolve_model
from sparsitysolver.plans import identities, measurements
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell, Grid

RULES = ("first", "every", "none")
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


READ = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("tokenizer.model", "merges.txt", "vocab.txt", "vocab.bpe", "spiece.model", "tekken.json", "qwen.tiktoken"),
    "config.json",
)
NOT_READ = (  # weights in a form that is not read, because safetensors lie beside them, are among these
    *("generation_config.json", "README.md", "LICENSE", ".gitattributes", "trainer_state.json"),
    *("optimizer.pt", "pytorch_model.bin", "tf_model.h5", "model.gguf", "model.fp16.safetensors"),
)


@pytest.mark.parametrize("name", [*READ, *NOT_READ])
def test_whatever_a_tokenizer_or_model_reads_counts_and_nothing_else(name, folder):
    before = plan(folder)
    (folder / "models" / "a" / name).write_text('{"changed": 1}')
    assert changed(before, plan(folder)) == (ALL if name in READ else set())


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
    def write(content="", *names):
        for name in names:
            (tmp_path / name).write_text(content)
        return [path.name for path in weight_files(tmp_path)], weights_sha256(tmp_path)

    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index, other = "model.safetensors.index.json", "consolidated.safetensors"
    write(json.dumps({"weight_map": dict(zip("xy", shards))}), index)
    names, sharded = write("one", *shards, other)
    assert names == [index, *shards]
    assert write("two", other) == (names, sharded) != write("two", shards[1])
    assert write("whole", "model.safetensors")[0] == ["model.safetensors"]
    assert write(json.dumps({"transformers_weights": other}), "config.json")[0] == [other]
    assert other in {path.name for path in deciding_files(tmp_path)}


def test_older_weight_files_count_where_they_are_read(tmp_path):
    hashes = []
    for name, content in (("pytorch_model", "one"), ("training_args", "two"), ("pytorch_model", "three")):
        (tmp_path / f"{name}.bin").write_text(content)
        hashes.append(weights_sha256(tmp_path))
    assert hashes[0] == hashes[1] != hashes[2]


def test_what_a_model_computes_depends_on_its_configuration(folder):
    hashes = []
    for config in (
        '{"hidden_act": "relu", "torch_dtype": "float16", "transformers_version": "4"}',
        '{"transformers_version": "5", "dtype": "float32", "hidden_act": "relu"}',
        '{"hidden_act": "gelu", "torch_dtype": "float16"}',
    ):
        (folder / "models" / "a" / "config.json").write_text(config)
        hashes.append(model_sha256(folder / "models" / "a"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_another_place_spelling_or_time_changes_nothing(folder, tmp_path):
    before = plan(folder)
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path)
    assert plan(folder) == plan(folder / ".." / folder.name / ".") == before
    artefacts = Artefacts(Grid({"grid": "local", "assets": str(folder)}))
    cell = Cell("a", "sparsitysolver", "0.2", "0", "wikitext2")
    for job in (artefacts.search(cell), artefacts.prune(cell)):
        assert " assets:a " in artefacts.command(job) and str(folder) not in artefacts.command(job)
    shutil.copytree(folder, tmp_path / "copy")
    shutil.move(folder, tmp_path / "moved")
    assert plan(tmp_path / "copy") == plan(tmp_path / "moved") == before


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


@pytest.mark.parametrize("field", [{"metric": "acc_norm"}, {"harness_task": "boolq_other"}, {"fields": "passage:text"}])
def test_how_a_task_is_scored_concerns_its_cells(field, folder, monkeypatch):
    before = plan(folder)
    rows = tasks_table() | {"boolq": tasks_table()["boolq"].model_copy(update=field)}
    monkeypatch.setattr(registry, "tasks_table", lambda: rows)
    monkeypatch.setattr(identities, "tasks_table", lambda: rows)
    assert changed(before, plan(folder)) == {"task", "searched on task"}


def test_another_revision_of_a_data_set_concerns_its_cells(monkeypatch):
    rows = registry.datasets_table()
    other = rows | {"wikitext2": rows["wikitext2"].model_copy(update={"config": "wikitext-2-v1"})}
    texts = []
    for table in (rows, other):
        monkeypatch.setattr(identities, "datasets_table", lambda table=table: table)
        texts.append(identities.Identities(Grid({"grid": "opt125m"})).text("wikitext2"))
    assert texts[0] != texts[1]


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


def jobs(folder, model, **config):
    """Key and command of a job of every kind on a model."""
    artefacts = Artefacts(Grid({"grid": "local", "assets": str(folder), "device": "cpu", **config}))
    cell = Cell(model, "sparsitysolver_recon", "0.2", "0", "wikitext2")
    draw = artefacts.draw(cell.method, cell.seed)
    made = [artefacts.sample(model, draw), artefacts.calibrate(model, draw, "structured"), artefacts.search(cell)]
    made += [artefacts.prune(cell), artefacts.evaluate(cell), measurements.inference(artefacts, model)]
    return {job.stage.name: (job.key, artefacts.command(job)) for job in made}


def test_a_bos_rule_is_in_every_key_where_it_is_not_the_usual_one(folder):
    """A family's own rule needs no option; the usual one leaves keys and commands as they were."""
    for name, family in (("a", "llama"), ("b", "gemma3_text")):
        (folder / "models" / name / "config.json").write_text(json.dumps({"model_type": family}))
    usual, given, every, none = (jobs(folder, "a", **config) for config in ({}, *({"bos": r} for r in RULES)))
    assert usual == given and "--bos" not in str(usual)
    for other, rule in ((every, "every"), (none, "none")):
        assert all(usual[stage][0] != other[stage][0] for stage in usual)
        asked = {stage for stage, (_, command) in other.items() if f" --bos {rule} " in command}
        assert asked == usual.keys() - {"inference"}
    gemma, first, same, bare = (jobs(folder, "b", **config) for config in ({}, *({"bos": r} for r in RULES)))
    assert gemma == same and "--bos" not in str(gemma)
    assert all(len({kind[stage][0] for kind in (gemma, first, bare)}) == 3 for stage in gemma)
    assert "--bos first" in first["evaluate"][1] and "--bos none" in bare["sample"][1]
    with pytest.raises(SparsitySolverError, match="unknown bos 'all'. Allowed: every, first, none"):
        Grid({"grid": "local", "assets": str(folder), "bos": "all"})


def test_the_bundled_models_keys_hold_their_folders_and_nothing_of_a_bos():
    grid = Grid({"grid": "tiny"})
    assert {name: identities.Identities(grid).model(name) for name in grid.models} == {
        name: folder_sha256(BUNDLED / name) for name in grid.models
    }
    assert not any(map(grid.bos_option, grid.models))
