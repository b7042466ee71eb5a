"""The grid: which cells, and that a path changes exactly when something that decides its content does."""

import dataclasses
import shlex

import pytest
from planned import make_assets

from sparsitysolver.config import registry
from sparsitysolver.config.registry import method, methods_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import artefacts as module
from sparsitysolver.plans import grid as grid_module
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.sources import prune_code


@pytest.fixture(autouse=True)
def assets(tmp_path, monkeypatch):
    """An assets folder whose models are a few bytes each: planning reads no weights."""
    monkeypatch.delenv("SPARSITYSOLVER_ASSETS", raising=False)
    return make_assets(tmp_path)


@pytest.fixture
def local(assets):
    """Plans the local grid anew, as the next call of Snakemake would."""

    def plan(**config):
        return Artefacts(Grid({"grid": "local", "assets": str(assets), **config}))

    return plan


def cell(name, model="a", sparsity="0.2", seed="0"):
    return Cell(model, name, sparsity, seed, "wikitext2")


def paths(artefacts):
    """Path of every cell of table 2."""
    return {(c.model, c.method, c.seed): artefacts.evaluate(c).path for c in artefacts.grid.table_cells("table2")}


def changed(before, after):
    """Models and methods whose cells have other paths."""
    assert before.keys() == after.keys()
    return {key[:2] for key in before if before[key] != after[key]}


def change_row(monkeypatch, key, **fields):
    """The methods table with one row changed."""
    row = method(key).model_copy(update=fields)
    for place in (registry, grid_module):
        monkeypatch.setattr(place, "method", lambda name: row if name == key else method(name))


def test_table_2_has_a_cell_for_every_row_model_and_seed(local):
    grid = local(seeds=[0, 1, 2]).grid
    cells = grid.table_cells("table2")
    assert grid.models == ["a", "b"]
    for name in [row.method for row in grid.table("table2").all_rows]:
        found = [(c.model, c.seed, c.sparsity) for c in cells if c.method == name]
        seeds, sparsity = (["0"], "0") if name == "dense" else (["0", "1", "2"], "0.2")
        assert found == [(model, seed, sparsity) for model in ("a", "b") for seed in seeds]
    assert len(set(grid.cells())) == len(grid.cells())
    assert set(cells) <= set(grid.cells())


def test_every_cell_has_a_path_of_its_own(local):
    artefacts = local(seeds=[0, 1])
    cells = artefacts.grid.cells()
    assert len({artefacts.evaluate(c).path for c in cells}) == len(cells)
    own = {(c.model, c.method, c.sparsity, c.seed, module.target(c)) for c in cells}
    assert len({artefacts.prune(c).path for c in cells}) == len(own)


@pytest.mark.parametrize("name", ["opt125m", "paper"])
def test_hub_grids_plan_without_network_or_assets(name):
    grid = Grid({"grid": name, "device": "cuda"})
    artefacts = Artefacts(grid)
    assert grid.assets.folder is None
    assert len({artefacts.evaluate(cell).path for cell in grid.cells()}) == len(grid.cells()) > 0
    for model in grid.all_models():
        demanded = artefacts.demands(artefacts.evaluate(Cell(model, "dense", "0", "0", grid.task)))
        assert demanded["gpu"] >= 1 and demanded["mem_mb"] > 4096 and demanded["runtime"] >= 5


def test_large_models_are_given_more():
    artefacts = Artefacts(Grid({"grid": "paper", "device": "cuda"}))
    searches = [artefacts.search(cell("sparsitysolver", model)) for model in ("opt-125m", "llama-2-70b")]
    small, large = map(artefacts.demands, searches)
    assert large["mem_mb"] > 10 * small["mem_mb"] and large["runtime"] > 10 * small["runtime"]
    assert (small["gpu"], large["gpu"]) == (1, 2)


def test_weights_concern_their_model_only_and_the_text_all_cells(local, assets):
    before = paths(local())
    assert paths(local()) == before
    (assets / "models" / "a" / "model.safetensors").write_bytes(b"other")
    assert {model for model, _ in changed(before, paths(local()))} == {"a"}
    assert len(changed(before, paths(local()))) == len(before) // 2
    (assets / "wikitext2" / "test.txt").write_text("other")
    assert len(changed(before, paths(local()))) == len(before)


@pytest.mark.parametrize(
    "field",
    [{"options": "x=1"}, {"nsamples": 7}, {"calibration_seed": 5}, {"pruner": "flap"}, {"label": "Slice & Dice"}],
)
def test_a_methods_row_concerns_its_cells_only_and_its_label_nothing(field, local, monkeypatch):
    before = paths(local())
    change_row(monkeypatch, "slicegpt", **field)
    assert changed(before, paths(local())) == (set() if "label" in field else {("a", "slicegpt"), ("b", "slicegpt")})


def test_search_settings_concern_the_searched_methods_only(local):
    before = paths(local())
    searched = {("a", key) for _, key, _ in before if method(key).allocator == "sparsitysolver"}
    searched |= {("b", key) for _, key in searched}
    assert changed(before, paths(local(episodes=10))) == searched
    assert changed(before, paths(local(reward_windows=3))) == searched


def test_the_dense_model_depends_on_no_calibration(local):
    dense = [c for c in local(seeds=[0, 1]).grid.table_cells("table2") if c.method == "dense"]
    assert [(c.model, c.seed, c.sparsity) for c in dense] == [("a", "0", "0"), ("b", "0", "0")]
    assert local().prune(dense[0]).inputs == {}


def test_methods_with_one_allocation_share_their_strategy(local):
    grid = local()
    keys = {grid.prune(cell("flap", sparsity=p, seed=s)).key for p in ("0.2", "0.3") for s in "01"}
    assert len(keys) == 4  # all axes are part of a key
    one, other = cell("sparsitysolver"), cell("sparsitysolver_recon")
    assert grid.search(one).path == grid.search(other).path
    assert grid.evaluate(one).path != grid.evaluate(other).path
    assert grid.search_seed(one) == grid.search_seed(other)
    seeds = {grid.search_seed(cell("sparsitysolver", m, p, s)) for m in "ab" for p in ("0.2", "0.3") for s in "01"}
    assert len(seeds) == 8


def test_draws_are_named_by_what_they_draw(local):
    grid = local()
    assert grid.draw("flap", "0") == "wikitext2-gptq-1024x128-0"
    assert grid.draw("slicegpt", "1") == "wikitext2-slicegpt-128x2048-43"
    assert grid.reconstruction_draw(cell("sparsitysolver_recon")) == "wikitext2-gptq-32x2048-0"
    assert grid.draw("svd_llm_update", "1") == "wikitext2-svd_llm-256x2048-4"
    assert grid.reconstruction_draw(cell("svd_llm_update", "m", "0.2", "1")) == "wikitext2-svd_llm_update-16x2048-1"
    options = grid.sample("a", "wikitext2-svd_llm-256x2048-3").options
    assert options == "--calibration wikitext2 --sampler svd_llm --nsamples 256 --seqlen 2048 --seed 3"


def test_a_baselines_file_concerns_its_methods_only():
    for key, row in methods_table().items():
        code = prune_code(key)
        assert f"baselines/{row.pruner}.py" in code
        assert not [path for path in code if path.startswith("sparsitysolver/search/")]
        own = {f"baselines/{name}.py" for name in (row.allocator, row.pruner) if name}
        others = {path for path in code if path.startswith("baselines/")} - own - {"baselines/__init__.py"}
        assert not others, key


def test_inputs_are_named_as_the_command_line_names_them(local):
    grid = local()
    job = grid.prune(cell("sparsitysolver_recon"))
    command = shlex.split(grid.command(job))
    assert {"calibration", "stats", "reconstruction_calibration", "strategy"} == set(job.inputs)
    for name, path in job.inputs.items():
        assert command[command.index(f"--{name.replace('_', '-')}") + 1] == path
    assert set(grid.prune(cell("svd_llm")).inputs) == {"calibration"}
    assert "/structured/" in job.inputs["stats"] and "/unstructured/" in grid.prune(cell("owl")).inputs["stats"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"grid": "tinny"}, r"unknown grid 'tinny'; did you mean tiny\? Allowed: local, opt125m, paper, tiny"),
        ({"grid": "local"}, "grid 'local' reads an assets folder: add --config grid=local assets=DIR"),
        ({"grid": "paper", "models": "opt-125"}, "unknown model 'opt-125'; did you mean opt-125m"),
        ({"grid": "local", "assets": "/nowhere"}, "assets folder /nowhere does not exist"),
    ],
)
def test_grids_that_cannot_be(config, message):
    with pytest.raises(SparsitySolverError, match=message):
        Grid(config)


def test_what_is_not_there_is_told(local, assets):
    assert local(models="b").grid.models == local(models=["b"]).grid.models == ["b"]
    with pytest.raises(SparsitySolverError, match=r"unknown model 'c'.*Allowed: a, b"):
        local(models="c")
    with pytest.raises(SparsitySolverError, match="unknown table 'table22'; did you mean table2"):
        local().grid.table("table22")
    for name in ("a", "b"):
        (assets / "models" / name / "config.json").unlink()
    with pytest.raises(SparsitySolverError, match=f"no model folder .* in {assets}/models"):
        local()


def test_table_1_has_a_column_for_every_model_and_sparsity(local):
    cells = local().grid.table_cells("table1")
    wanda = [(c.model, c.sparsity) for c in cells if c.method == "wanda"]
    assert sorted(wanda) == [(model, sparsity) for model in "ab" for sparsity in ("0.5", "0.6", "0.7")]
    assert [c.model for c in cells if c.method == "dense"] == ["a", "b"]


def test_models_asked_for_are_those_of_every_table(local):
    assert local(models="b").grid.models == local(models=["b"]).grid.models == ["b"]
    assert Grid({"grid": "tiny"}).table_models("table1") == ["opt-tiny", "llama-tiny"]
    assert Grid({"grid": "tiny", "models": "mistral-tiny"}).table_models("table1") == ["mistral-tiny"]


def test_tables_of_tasks_take_the_llama_of_an_assets_folder(local, tmp_path):
    (tmp_path / "models" / "b" / "config.json").write_text('{"model_type": "llama"}')
    assert local().grid.table_models("table3") == ["b"]
    (tmp_path / "models" / "b" / "config.json").write_text('{"model_type": "opt"}')
    assert local().grid.table_models("table3") == ["a"]


def test_searches_differ_by_granularity_and_task(local):
    artefacts = local(episodes=7)
    names = ("sparsitysolver_unstructured", "sparsitysolver_unstructured_static", "sparsitysolver")
    one, other, structured = (cell(name, sparsity="0.5") for name in names)
    assert artefacts.search(one).path == artefacts.search(other).path != artefacts.search(structured).path
    options = artefacts.search(one).options
    assert "--episodes 7" in options and "--granularity unstructured" in options and "--text wikitext2" in options
    tasks = [Cell("a", "sparsitysolver_task", "0.7", "0", task) for task in ("boolq", "piqa")]
    assert len({artefacts.search(c).path for c in tasks}) == len({artefacts.prune(c).path for c in tasks}) == 2
    options = artefacts.search(tasks[1]).options
    assert "--reward accuracy" in options and "--task piqa" in options and "--items search" in options


def test_reconstruction_on_a_tasks_own_text(local):
    artefacts = local()
    own = Cell("a", "sparsitysolver_recon_task", "0.2", "0", "boolq")
    assert artefacts.reconstruction_draw(own) == "boolq-gptq-32x2048-0"
    c4 = dataclasses.replace(own, method="sparsitysolver_recon_c4")
    assert artefacts.reconstruction_draw(c4) == "c4-gptq-32x2048-0"
    assert artefacts.prune(c4).path == artefacts.prune(dataclasses.replace(c4, task="piqa")).path
    assert artefacts.prune(own).path != artefacts.prune(dataclasses.replace(own, task="piqa")).path
    assert artefacts.search(own).path == artefacts.search(c4).path == artefacts.search(cell("sparsitysolver")).path


def test_kinds_of_tasks_have_pruned_models_of_their_own(local):
    """Else making a temporary model again for the second kind would evaluate the first kind again."""
    artefacts = local()
    perplexity, boolq, piqa = (Cell("a", "flap", "0.2", "0", task) for task in ("wikitext2", "boolq", "piqa"))
    assert artefacts.prune(boolq).path == artefacts.prune(piqa).path != artefacts.prune(perplexity).path
    assert artefacts.prune(boolq).key == artefacts.prune(perplexity).key


def test_a_limit_concerns_zero_shot_cells_only(local):
    whole, some = local(), local(limit=20)
    perplexity, accuracy = cell("flap"), Cell("a", "flap", "0.2", "0", "boolq")
    assert whole.evaluate(perplexity).path == some.evaluate(perplexity).path
    assert whole.evaluate(accuracy).path != some.evaluate(accuracy).path
    assert some.evaluate(Cell("a", "dense", "0", "0", "boolq")).options == "--task boolq --items report --limit 20"


def test_the_papers_practice_of_searching_on_reported_items(local):
    """Strategies and task texts of the reported items are other artefacts, and asked for as such."""
    ours, papers = local(), local(search_items="report")
    searched = Cell("a", "sparsitysolver_task", "0.7", "0", "boolq")
    assert ours.search(searched).path != papers.search(searched).path
    assert "--items report" in papers.search(searched).options
    draw = "boolq-gptq-32x2048-0"
    assert ours.sample("a", draw).path != papers.sample("a", draw).path
    assert papers.sample("a", draw).options.endswith("--items report")
