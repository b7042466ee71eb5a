"""Models and settings that a run names itself: what they are called, what decides their keys, what is refused."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from huggingface_hub import errors
from planned import make_assets
from tiny import tiny_folder

from sparsitysolver import ROOT
from sparsitysolver import hub_models as hub
from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import folder_sha256
from sparsitysolver.models.source import resolve_model
from sparsitysolver.plans import measurements
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell, Grid

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No assets folder of the environment, and a folder to run in."""
    monkeypatch.delenv("SPARSITYSOLVER_ASSETS", raising=False)
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")


@pytest.fixture
def assets(tmp_path):
    return make_assets(tmp_path / "assets")


@pytest.fixture
def model(tmp_path):
    """A place for folders of models: ``model("x/y")`` is a copy of a miniature LLaMA."""

    def make(name, **config):
        folder = tmp_path / name
        shutil.copytree(tiny_folder("llama"), folder)
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
        return folder

    return make


@pytest.fixture
def on_hub(monkeypatch, model):
    """A hub whose branches are all at one commit and whose models are one; lists what was asked of it."""
    asked = []

    def config_file(one):
        asked.append(str(one))
        return snapshot / "config.json"

    snapshot = model(f"snapshots/{COMMIT}")
    monkeypatch.setattr(hub, "config_file", config_file)
    monkeypatch.setattr("sparsitysolver.plans.own_models.config_file", config_file)
    monkeypatch.setattr("sparsitysolver.plans.own_models.file_names", lambda one: [p.name for p in snapshot.iterdir()])
    monkeypatch.setattr(hub, "_resolved", {})
    return asked


def planned(**config):
    return Artefacts(Grid({"device": "cpu", **config}))


def refused(**config):
    with pytest.raises(SparsitySolverError) as caught:
        planned(**config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def dense(name):
    return Cell(name, "dense", "0", "0", "wikitext2")


def test_every_form_in_one_list(model, assets, on_hub):
    folder = model("data/my model")
    asked = f"opt-125m,{folder},a,Owner/Name-7B,x=O/N@{COMMIT},../assets/models/b"
    plan = planned(grid="opt125m", assets=str(assets), models=asked)
    assert plan.grid.models == ["opt-125m", "my model", "a", "Name-7B", "x", "b"]
    arguments = {name: plan.identities.model_argument(name) for name in plan.grid.models}
    assert arguments["opt-125m"] == "opt-125m" and arguments["my model"] == f"my model={folder}"
    assert arguments["a"] == "assets:a" and arguments["b"] == "assets:b"
    assert arguments["Name-7B"] == f"Name-7B=Owner/Name-7B@{COMMIT}" and arguments["x"] == f"x=O/N@{COMMIT}"
    assert plan.identities.model("my model") == folder_sha256(folder)
    assert plan.identities.model("Name-7B") == f"Owner/Name-7B@{COMMIT}"
    job = plan.evaluate(dense("my model"))
    assert shlex.split(plan.command(job))[2] == arguments["my model"]
    assert job.path.startswith("results/cells/my model/dense/")


def test_names_of_records_are_those_of_the_plan(model, on_hub):
    plan = planned(models=f"{model('one/m')},{model('two/m')},Owner/Name@dev")
    assert plan.grid.name == "local" and plan.grid.models == ["one--m", "two--m", "Name"]
    for name in plan.grid.models:
        source = resolve_model(plan.identities.model_argument(name), Assets(None))
        assert source.name == name and source.revision == (COMMIT if name == "Name" else None)
    assert on_hub.count("Owner/Name@dev") == 1  # afterwards its commit is


def test_contents_decide_and_places_do_not(model, tmp_path):
    folder = model("here/m")
    before = planned(models=str(folder)).evaluate(dense("m")).path
    (tmp_path / "there").mkdir()
    moved = folder.rename(tmp_path / "there" / "m")
    assert planned(models="../there/m").evaluate(dense("m")).path == before
    (moved / "tokenizer_config.json").write_text("{}")
    assert planned(models=str(moved)).evaluate(dense("m")).path != before


def test_two_revisions_and_a_copy_of_a_registered_model_have_names_of_their_own(model, on_hub, monkeypatch):
    other = COMMIT[::-1]
    assert planned(models=f"O/N@{COMMIT},O/N@{other}").grid.models == [f"O--N-{COMMIT[:12]}", f"O--N-{other[:12]}"]
    plan = planned(models=str(model("mine/opt-125m")))
    assert plan.grid.models == ["mine--opt-125m"]  # no published value is held against it
    assert measurements.gate(plan, "mine--opt-125m") == []
    assert planned(grid="opt125m", models="facebook/opt-125m").grid.models == ["opt-125m"]


def test_a_commit_is_asked_for_once_and_handed_on(on_hub, monkeypatch):
    assert hub.pinned(hub.HubModel("O/N")) == ("O/N", COMMIT) and on_hub == ["O/N@main"]
    monkeypatch.setenv(hub.COMMITS_VARIABLE, "{}")
    hub.to_environment()
    monkeypatch.setattr(hub, "_resolved", {})
    assert hub.pinned(hub.HubModel("O/N")).revision == COMMIT and on_hub == ["O/N@main"]


def test_sizes_of_a_hub_model_are_those_of_its_config(model, on_hub):
    plan, folder = planned(models=f"O/N,{model('m')}"), "m"
    assert plan.machine.size("N").parameters == pytest.approx(plan.machine.size(folder).parameters, rel=0.02)
    assert plan.machine.memory_mb("N") == pytest.approx(plan.machine.memory_mb(folder), rel=0.02)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("{m},,{m}", "an empty name stands between commas or at an end"),
        ("{m},{m}/", "models= names the same model twice: "),
        ("{m},../run/../m", "models= names the same model twice: "),
        ("opt-125m,facebook/opt-125m", "models= names the same model twice: opt-125m and facebook/opt-125m"),
        ("opt-tiny,{m}", "models=opt-tiny: the miniature models speak the language of grid 'tiny' only"),
        ("{m}/config.json", "is a file: give the folder of a model"),
        ("./nowhere", "no model folder at ./nowhere, and that is no hub id either"),
        ("a/b/c", "no model folder at a/b/c, and that is no hub id either"),
        ("opt-125", "unknown model 'opt-125'; did you mean opt-125m"),
        ("llama-7b={m}", "'llama-7b' cannot name a model"),
        ("a@b={m}", "'a@b' cannot name a model"),
        ("x=opt-125m", "'opt-125m' is named by its key; leave 'x=' out"),
        ("x={m},x=O/N@" + COMMIT, "would both be called 'x': name one as NAME=MODEL"),
    ],
)
def test_lists_that_cannot_be(asked, words, model, on_hub):
    assert words in refused(models=asked.format(m=model("m")))


def test_the_tiny_grid_keeps_its_own_models(model, assets):
    assert planned(models="opt-tiny").grid.name == "tiny"
    assert "leave grid=tiny out, or give grid=local" in refused(grid="tiny", models=str(model("m")))
    assert planned(models="a", assets=str(assets)).grid.models == ["a"]


def test_a_key_that_is_a_folder_here_too_is_ambiguous(model):
    model("run/opt-125m")
    assert "models=opt-125m is a key of config/models.tsv and a folder here: write ./opt-125m" in refused(
        grid="opt125m", models="opt-125m"
    )
    assert planned(grid="opt125m", models="./opt-125m").grid.models == ["run--opt-125m"]


def without(name):
    return lambda folder: (folder / name).unlink()


def adapter(folder):
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "org/base"}')


def template_only(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()
    (folder / "chat_template.jinja").write_text("{{ messages }}")


def gguf(folder):
    (folder / "model.safetensors").rename(folder / "x.Q4_K_M.gguf")


@pytest.mark.parametrize(
    ("config", "change", "words"),
    [
        ({}, adapter, "it holds a LORA adapter of org/base, not a model"),
        ({}, without("model.safetensors"), "it has no weights"),
        ({}, gguf, "GGUF is not read; give the checkpoint that it was made from"),
        ({}, template_only, "it has no tokenizer: .* is missing, and chat_template.jinja is none"),
        ({}, lambda folder: (folder / "pruning.json").write_text("{}"), "is pruned already: give the dense model"),
        ({"sparsitysolver": {"format": 1}}, None, "is pruned already: give the dense model"),
        ({"quantization_config": {"quant_method": "gptq"}}, None, r"is quantised \(config.json: gptq\)"),
        ({"quantization_config": {"quant_method": "fp8"}}, None, r"is quantised \(config.json: fp8\)"),
        ({"model_type": "llamma"}, None, "cannot be taken: unknown model family 'llamma'; did you mean llama"),
        ({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}, None, "reads more than text"),
        ({"model_type": "mixtral", "num_local_experts": 8}, None, "with 8 experts is not supported"),
        ({"auto_map": {"AutoModelForCausalLM": "m.M"}}, None, "is defined by code of its own"),
    ],
)
def test_what_no_job_could_prune_is_told_by_the_plan(config, change, words, model):
    folder = model("m", **config)
    if change:
        change(folder)
    told = refused(models=str(folder))
    assert re.search(words, told), told
    assert str(folder) in told


def test_a_bos_is_asked_of_tokenizers_that_have_one(model):
    folder = model("m")
    (folder / "tokenizer_config.json").write_text('{"bos_token": null}')
    assert "bos=every asked for, and the tokenizer in" in refused(models=str(folder), bos="every")
    assert planned(models=str(folder), bos="none") and planned(models=str(folder))
    (folder / "tokenizer_config.json").write_text('{"bos_token": "<s>"}')
    assert planned(models=str(folder), bos="every")


SETTINGS = {"windows": 4, "seqlen": 256, "nsamples": 8, "calibration_seqlen": 128, "dtype": "bfloat16"}


def test_settings_reach_the_jobs_they_concern_and_keys_only_where_given(assets):
    plain = planned(grid="local", assets=str(assets))
    given = planned(grid="local", assets=str(assets), **SETTINGS)
    for name, sparsity in (("dense", "0"), ("wanda", "0.5"), ("sparsitysolver_recon", "0.2")):
        cell = Cell("a", name, sparsity, "0", "wikitext2")
        before, after = plain.evaluate(cell), given.evaluate(cell)
        assert before.path != after.path
        assert "--windows 4 --seqlen 256" in after.options and "--windows" not in before.options
        assert "--dtype bfloat16" in given.command(after) and "--dtype auto" in plain.command(before)
        assert after.tokens < before.tokens
    assert given.draw("wanda", "0") == "c4-gptq-8x128-0" and plain.draw("wanda", "0") == "c4-gptq-128x2048-0"
    ours = Cell("a", "sparsitysolver_recon", "0.2", "0", "wikitext2")
    assert "8x128" in given.reconstruction_draw(ours) and "32x2048" in plain.reconstruction_draw(ours)
    assert "--seqlen 256" in given.search(ours).options and "--seqlen" not in plain.search(ours).options
    assert "--windows" not in given.evaluate(Cell("a", "dense", "0", "0", "boolq")).options
    assert "nsamples=8, calibration_seqlen=128" in ", ".join(f"{k}={v}" for k, v in given.grid.run.protocol.items())


def test_each_setting_is_part_of_the_key(assets):
    cell = Cell("a", "wanda", "0.5", "0", "wikitext2")
    paths = [planned(grid="local", assets=str(assets), **{k: v}).evaluate(cell).path for k, v in SETTINGS.items()]
    assert len({*paths, planned(grid="local", assets=str(assets)).evaluate(cell).path}) == len(SETTINGS) + 1


def test_published_values_are_not_held_against_another_protocol():
    for config, gated in (({}, 1), ({"windows": 4}, 0), ({"seqlen": 512}, 0), ({"dtype": "bfloat16"}, 0)):
        assert len(measurements.gate(planned(grid="opt125m", **config), "opt-125m")) == gated


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"windows": 0}, "windows=0: a number of at least 1 is needed"),
        ({"seqlen": 1}, "seqlen=1: a window length of at least 2 tokens is needed"),
        ({"calibration_seqlen": "many"}, "calibration_seqlen=many: a window length of at least 2 tokens"),
        ({"dtype": "int8"}, "unknown dtype 'int8'. Allowed: auto, bfloat16, float16, float32"),
        ({"seqlen": 100_000}, "seqlen=100000: model 'm' takes windows of 2 to "),
    ],
)
def test_settings_that_cannot_be(config, words, model):
    assert words in refused(models=str(model("m")), **config)


def test_plans_import_no_torch(model):
    code = (
        "import sys; from sparsitysolver.plans.grid import Grid; "
        "from sparsitysolver.plans.artefacts import Artefacts; "
        f"Artefacts(Grid({{'models': {str(model('m'))!r}, 'device': 'cpu'}})); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0


def hub_error(kind, status):
    return kind("no", response=SimpleNamespace(status_code=status, headers={}, request=None))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (hub_error(errors.GatedRepoError, 403), "is gated on the hub (status 403): accept its licence at https://"),
        (hub_error(errors.GatedRepoError, 401), "is gated on the hub (status 401)"),
        (hub_error(errors.RepositoryNotFoundError, 401), "or it is private (status 401)"),
        (hub_error(errors.RepositoryNotFoundError, 404), "there is no model O/N on the hub (status 404)"),
        (hub_error(errors.RevisionNotFoundError, 404), "of the hub has no revision 'main'"),
        (hub_error(errors.HfHubHTTPError, 503), "the hub answers status 503"),
        (errors.LocalEntryNotFoundError("no"), "the hub cannot be reached, and the cache lacks it"),
    ],
)
def test_why_the_hub_gives_no_model(error, words, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert words in hub.why_not(hub.HubModel("O/N"), error)
    try:
        raise OSError("transformers says this") from error
    except OSError as outer:  # as by hand, where transformers stands between
        assert words in hub.why_not(hub.HubModel("O/N"), outer)


def test_a_model_in_the_cache_is_planned_and_measured_offline(tmp_path):
    """The hub's layout, ``refs/main`` for the commit; then by hand as the plan would call it; others are not there."""
    root = tmp_path / "home" / "hub" / "models--Org--Tiny"
    shutil.copytree(tiny_folder("llama"), root / "snapshots" / COMMIT)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SPARSITYSOLVER"))}
    offline = clean | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}

    def call(*words):
        return subprocess.run([sys.executable, *words], env=offline, capture_output=True, text=True, check=False)

    plan = (
        "import sys; from sparsitysolver.plans.grid import Grid\n"
        "from sparsitysolver.plans.artefacts import Artefacts\n"
        "print(Artefacts(Grid({'models': sys.argv[1], 'device': 'cpu'})).identities.model_argument('Tiny'))"
    )
    done = call("-c", plan, "Org/Tiny")
    assert done.stdout.strip() == f"Tiny=Org/Tiny@{COMMIT}", done.stderr
    lacking = call("-c", plan, "Org/Other")
    assert "cannot get model Org/Other from the hub or its cache: HF_HUB_OFFLINE is set" in lacking.stderr
    out, options = tmp_path / "cell.json", ("--device", "cpu", "--task", "mini", "--windows", "2", "--out")
    done = call("-m", "sparsitysolver.cli", "evaluate", done.stdout.strip(), *options, str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["model"]
    assert (found["name"], found["revision"]) == ("Tiny", COMMIT)
    done = call("-m", "sparsitysolver.cli", "evaluate", "Org/Other@v1", *options, str(tmp_path / "none.json"))
    assert done.returncode == 2 and "cannot get model Org/Other (revision v1) from the hub or its cache" in done.stderr
