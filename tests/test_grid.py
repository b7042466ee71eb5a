"""The grid: which cells, and that a path changes exactly when something that decides its content does."""

import dataclasses

import pytest

from sparsitysolver import grid as module
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.grid import Cell, Grid
from sparsitysolver.registry import method, methods_table


@pytest.fixture(autouse=True)
def assets(tmp_path, monkeypatch):
    """An assets folder whose models are a few bytes each: planning reads no weights."""
    monkeypatch.delenv("SPARSITYSOLVER_ASSETS", raising=False)
    module._quick_hash.cache_clear()
    for name in ("a", "b"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(f'{{"name": "{name}"}}')
        (folder / "model.safetensors").write_bytes(name.encode() * 10)
    (tmp_path / "wikitext2").mkdir()
    for split in ("train", "valid", "test"):
        (tmp_path / "wikitext2" / f"{split}.txt").write_text(split)
    return tmp_path


@pytest.fixture
def local(assets):
    """Plans the local grid anew, as the next call of Snakemake would."""

    def plan(**config):
        module._quick_hash.cache_clear()
        return Grid({"grid": "local", "assets": str(assets), **config})

    return plan


def cell(name, model="a", sparsity="0.2", seed="0"):
    return Cell(model, name, sparsity, seed, "wikitext2")


def paths(grid):
    """Path of every cell of the grid's tables."""
    return {(c.model, c.method, c.seed): grid.cell_path(c) for c in grid.cells()}


def changed(before, after):
    """Models and methods whose cells have other paths."""
    assert before.keys() == after.keys()
    return {key[:2] for key in before if before[key] != after[key]}


def change_row(monkeypatch, key, **fields):
    """The methods table with one row changed."""
    row = dataclasses.replace(method(key), **fields)
    monkeypatch.setattr(module, "method", lambda name: row if name == key else method(name))


# --- which cells ----------------------------------------------------------------------------------------------------


def test_table_2_has_a_cell_for_every_row_model_and_seed(local):
    grid = local(seeds=[0, 1, 2])
    cells = grid.table_cells("table2")
    rows = grid.table("table2")
    methods = [row["method"] for row in [*rows["rows"], *rows["extended"]]]
    assert grid.models == ["a", "b"]
    for name in methods:
        found = [(c.model, c.seed, c.sparsity) for c in cells if c.method == name]
        seeds, sparsity = (["0"], "0") if name == "dense" else (["0", "1", "2"], "0.2")
        assert found == [(model, seed, sparsity) for model in ("a", "b") for seed in seeds]
    assert len(set(grid.cells())) == len(grid.cells())
    assert set(cells) <= set(grid.cells())


def test_every_cell_has_a_path_of_its_own(local):
    grid = local(seeds=[0, 1])
    cells = grid.cells()
    for path in (grid.cell_path, grid.pruned_path):
        assert len({path(c) for c in cells}) == len(cells)


def test_models_can_be_chosen(local):
    assert local(models="b").models == local(models=["b"]).models == ["b"]


@pytest.mark.parametrize("name", ["opt125m", "paper"])
def test_hub_grids_plan_without_network_or_assets(name):
    grid = Grid({"grid": name})
    assert grid.assets.folder is None
    assert len(paths(grid)) == len(grid.cells()) > 0
    for model in grid.models:
        assert grid.gpus(model) >= 1 and grid.memory_mb(model) > 4096
        assert all(grid.minutes(model, stage) >= 5 for stage in ("sample", "calibrate", "search", "prune", "evaluate"))


def test_large_models_are_given_more():
    grid = Grid({"grid": "paper"})
    small, large = "opt-125m", "llama-2-70b"
    assert grid.memory_mb(large) > 10 * grid.memory_mb(small)
    assert grid.minutes(large, "search") > 100 * grid.minutes(small, "search") / 10
    assert grid.gpus(large) > grid.gpus(small)


# --- paths change when something that decides does ------------------------------------------------------------------


def test_the_same_grid_has_the_same_paths(local):
    assert paths(local()) == paths(local())


def test_weights_concern_their_model_only(local, assets):
    before = paths(local())
    (assets / "models" / "a" / "model.safetensors").write_bytes(b"other")
    assert {model for model, _ in changed(before, paths(local()))} == {"a"}
    assert len(changed(before, paths(local()))) == len(before) // 2


@pytest.mark.parametrize("name", ["pytorch_model.bin", "tokenizer.json", "model-00002-of-00002.safetensors"])
def test_any_file_that_decides_a_model_counts(name, local, assets):
    before = local().model_identity("a")
    (assets / "models" / "a" / name).write_bytes(b"new")
    assert local().model_identity("a") != before


def test_the_text_concerns_all_cells(local, assets):
    before = paths(local())
    (assets / "wikitext2" / "test.txt").write_text("other")
    assert len(changed(before, paths(local()))) == len(before)


@pytest.mark.parametrize("field", [{"options": "x=1"}, {"nsamples": 7}, {"calibration_seed": 5}, {"pruner": "flap"}])
def test_a_methods_row_concerns_its_cells_only(field, local, monkeypatch):
    before = paths(local())
    change_row(monkeypatch, "slicegpt", **field)
    assert changed(before, paths(local())) == {("a", "slicegpt"), ("b", "slicegpt")}


def test_a_label_concerns_nothing(local, monkeypatch):
    before = paths(local())
    change_row(monkeypatch, "slicegpt", label="Slice & Dice")
    assert changed(before, paths(local())) == set()


def test_search_settings_concern_the_searched_methods_only(local):
    before = paths(local())
    searched = {("a", key) for key in methods_table() if method(key).allocator == "sparsitysolver"}
    searched |= {("b", key) for _, key in searched}
    assert changed(before, paths(local(episodes=10))) == searched
    assert changed(before, paths(local(reward_windows=3))) == searched


def test_the_dense_model_depends_on_no_calibration(local):
    assert local(seeds=[0, 1]).prune_inputs(cell("sparsitysolver")).keys() == {"calibration", "stats", "strategy"}
    dense = [c for c in local(seeds=[0, 1]).cells() if c.method == "dense"]
    assert [(c.model, c.seed, c.sparsity) for c in dense] == [("a", "0", "0"), ("b", "0", "0")]


def test_sparsity_and_seed_are_part_of_every_key(local):
    grid = local()
    keys = {grid.pruned_key(cell("flap", sparsity=p, seed=s)) for p in ("0.2", "0.3") for s in ("0", "1")}
    assert len(keys) == 4


def test_methods_with_one_allocation_share_their_strategy(local):
    grid = local()
    one, other = cell("sparsitysolver"), cell("sparsitysolver_recon")
    assert grid.strategy_path(one) == grid.strategy_path(other)
    assert grid.cell_path(one) != grid.cell_path(other)
    assert grid.search_seed(one) == grid.search_seed(other)
    seeds = {grid.search_seed(cell("sparsitysolver", m, p, s)) for m in "ab" for p in ("0.2", "0.3") for s in "01"}
    assert len(seeds) == 8


def test_draws_are_named_by_what_they_draw(local):
    grid = local()
    assert grid.draw("flap", "0") == "wikitext2-gptq-1024x128-0"
    assert grid.draw("slicegpt", "1") == "wikitext2-slicegpt-128x2048-43"
    assert grid.draw("reconstruction", "0") == "wikitext2-gptq-32x2048-0"
    options = grid.sample_options("wikitext2-svd_llm-256x2048-3")
    assert options == "--calibration wikitext2 --sampler svd_llm --nsamples 256 --seqlen 2048 --seed 3"


# --- what jobs read -------------------------------------------------------------------------------------------------


def test_a_baselines_file_concerns_its_methods_only(local):
    grid = local()
    for key, row in methods_table().items():
        code = grid.prune_code(key)
        assert f"baselines/{row.pruner}.py" in code
        assert not [path for path in code if path.startswith("sparsitysolver/search/")]
        own = {f"baselines/{name}.py" for name in (row.allocator, row.pruner) if name}
        others = {path for path in code if path.startswith("baselines/")} - own - {"baselines/__init__.py"}
        assert not others, key


def test_inputs_are_named_as_the_command_line_names_them(local):
    grid = local()
    files = grid.prune_inputs(cell("sparsitysolver_recon"))
    options = grid.prune_options(files | {"code": ["x.py"]})
    assert options.count("--") == 4 and "x.py" not in options
    assert f"--reconstruction-calibration {files['reconstruction_calibration']}" in options
    assert set(grid.prune_inputs(cell("svd_llm"))) == {"calibration"}


# --- what is refused ------------------------------------------------------------------------------------------------


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


def test_local_models_that_are_not_there(local, assets):
    with pytest.raises(SparsitySolverError, match=r"unknown model 'c'.*Allowed: a, b"):
        local(models="c")
    for name in ("a", "b"):
        (assets / "models" / name / "config.json").unlink()
    with pytest.raises(SparsitySolverError, match=f"no model folder .* in {assets}/models"):
        local()


def test_an_unknown_task(local, monkeypatch):
    monkeypatch.setattr(module, "tasks_table", lambda: {"wikitext": None})
    with pytest.raises(SparsitySolverError, match="unknown task 'wikitext2'; did you mean wikitext"):
        local()


def test_an_unknown_table(local):
    with pytest.raises(SparsitySolverError, match="unknown table 'table22'; did you mean table2"):
        local().table("table22")
