"""What tables and figures need: every kind of result, by model, method, sparsity and seed."""

import pytest

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import needs
from sparsitysolver.plans.artefacts import TIMED, Artefacts
from sparsitysolver.plans.collected import records
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.plans.measurements import inference, study


@pytest.fixture
def tiny():
    return Artefacts(Grid({"grid": "tiny"}))


def test_pareto_has_every_method_at_every_sparsity_on_one_model(tiny):
    cells = needs.needed(tiny.grid, needs.CELLS, "figure3")
    assert {cell.model for cell in cells} == {"opt-tiny"}
    assert {cell.sparsity for cell in cells if cell.method == "flap"} == {"0.1", "0.2", "0.3", "0.4", "0.5"}
    assert [cell.sparsity for cell in cells if cell.method == "dense"] == ["0"]
    assert len(records(tiny, "cells_figure3")) == len(cells)


def test_comparison_of_agents_has_three_seeds_at_one_budget(tiny):
    searches = needs.needed(tiny.grid, needs.CURVES, "figure6")
    assert {(cell.method, cell.seed) for cell in searches} == {
        (name, seed) for name in ("ppo", "amc", "amc_broadcast", "agmc") for seed in "012"
    }
    options = {tiny.search_settings(cell)["algorithm"]: tiny.search_settings(cell) for cell in searches}
    assert {settings["episodes"] for settings in options.values()} == {300}
    assert len({tiny.search_seed(cell) for cell in searches}) == len(searches)


def test_a_reused_agent_waits_for_the_search_before_it(tiny):
    cell = Cell("opt-tiny", "sparsitysolver_reuse", "0.3", "0", "mini")
    first = needs.first_search(cell)
    assert first == Cell("opt-tiny", "sparsitysolver_first", "0.2", "0", "mini")
    job = tiny.search(cell)
    assert job.inputs["beside"] == tiny.search(first).path
    assert f"--warm-start {tiny.search(first).path.removesuffix('.json')}.agent" in job.options
    assert "--warm-start" not in tiny.search(first).options
    assert "--a-min 0.3" in job.options and "beside" not in tiny.command(job)
    assert Artefacts(Grid({"grid": "tiny", "first_episodes": 30})).search(cell).path != job.path


def test_rows_that_search_alike_share_a_search(tiny):
    def path(name, sparsity="0.3"):
        return tiny.search(Cell("opt-tiny", name, sparsity, "0", "mini")).path

    assert path("sparsitysolver_reuse") == path("sparsitysolver_reuse_recon")
    assert path("sparsitysolver") == path("sparsitysolver_recon")
    assert len({path(name) for name in ("sparsitysolver", "ppo", "amc", "sparsitysolver_first")}) == 4


def test_strategies_come_from_searches_and_from_cells_of_allocators(tiny):
    files = records(tiny, "strategies_figure12")
    assert sum(path.startswith("results/strategies/") for path in files) == 3
    assert sum("/owl/" in path and path.startswith("results/cells/") for path in files) == 3


def test_timed_models_are_apart_from_evaluated_ones_and_timed_as_the_run_says(tiny):
    (record,) = records(tiny, "inference_figure3")
    folders = inference(tiny, "opt-tiny").inputs["models"]
    assert len(folders) == 21 and all(f"/{TIMED}/" in folder for folder in folders)
    assert record.startswith("results/inference/opt-tiny/")
    assert record in records(tiny, "inference_figure14")
    asked = Artefacts(Grid({"grid": "tiny", "inference_batch": "8", "inference_new_tokens": 16}))
    assert inference(tiny, "opt-tiny").options == "--rounds 6"
    assert inference(asked, "opt-tiny").options == "--batch 8 --new-tokens 16 --rounds 6"
    assert records(asked, "inference_figure3") != [record]
    cell = Cell("opt-tiny", "flap", "0.2", "0", "mini")
    assert tiny.prune(cell, TIMED).path in folders and tiny.prune(cell).path not in folders


def test_figures_without_their_model_are_left_out_or_refused():
    one = Grid({"grid": "tiny", "models": "llama-tiny"})
    assert not {"figure9", "figure10"} & set(needs.drawable(one)) and "figure8" in needs.drawable(one)
    with pytest.raises(SparsitySolverError, match="figure10 shows the grid's model number 3"):
        needs.needed(one, needs.CURVES, "figure10")
    with pytest.raises(SparsitySolverError, match="unknown figure 'figure33'; did you mean figure3"):
        needs.figure("figure33")


def test_every_figure_and_kind_has_files(tiny):
    for figure in needs.figures():
        for kind in needs.kinds(figure):
            assert records(tiny, f"{kind}_{figure}")
    for kind in needs.KINDS:
        of_figures = {path for name in needs.figures() for path in records(tiny, f"{kind}_{name}")}
        assert set(records(tiny, kind)) >= of_figures


def test_paper_names_the_models_of_its_figures():
    grid = Grid({"grid": "paper"})
    assert needs.figure_models(grid, "figure6") == ["llama-2-7b"]
    assert needs.figure_models(grid, "figure10") == ["opt-2.7b"]
    assert {cell.model for cell in needs.needed(grid, needs.INFERENCE, "figure14")} == {"opt-6.7b"}


def test_studies_are_measured_for_claims_alone_and_share_what_figures_measure(tiny):
    """Study 1 needs 32 samples at five sparsities; at 30% Figure 5 needs more, and one record holds both."""
    assert needs.studies() == ["study1"]
    cells = needs.needed(tiny.grid, needs.RECONSTRUCTION, "study1")
    assert {cell.model for cell in cells} == {"opt-tiny"}
    samples = {cell.sparsity: needs.study_samples(tiny.grid, cell) for cell in cells}
    assert samples == {p: [32] for p in ("0.1", "0.2", "0.4", "0.5")} | {"0.3": [1, 2, 4, 8, 16, 32, 64]}
    assert set(records(tiny, "reconstruction_figure5")) < set(records(tiny, "reconstruction_study1"))
    assert set(records(tiny, "reconstruction")) == set(records(tiny, "reconstruction_study1"))
    job = study(tiny, "opt-tiny", "0.3", "0")
    assert "--samples 1,2,4,8,16,32,64 " in job.options and "-64x" in job.inputs["reconstruction_calibration"]
    of_paper = needs.needed(Grid({"grid": "paper"}), needs.RECONSTRUCTION, "study1")
    assert {cell.model for cell in of_paper if cell.sparsity == "0.2"} > {"llama-2-7b", "llama-2-13b", "llama-2-70b"}


def test_models_of_two_precisions_are_told_before_any_job(tiny, monkeypatch):
    """What collecting would refuse after all cells are made; a model by itself is no table of two."""
    dtypes = {"opt-tiny": "float16", "llama-tiny": "bfloat16", "mistral-tiny": "float16"}
    monkeypatch.setattr(tiny.identities, "precision", lambda model: ["gpu", dtypes[model], 1])
    with pytest.raises(SparsitySolverError) as error:
        records(tiny, "cells_table2")
    assert "(float16: opt-tiny, mistral-tiny; bfloat16: llama-tiny)" in str(error.value)
    assert "config/grids/tiny.yaml" in str(error.value)
    with pytest.raises(SparsitySolverError, match="share their precision"):
        records(tiny, "cells")
    assert records(tiny, "cells_figure3") and records(tiny, "curves_figure6")
    dtypes["llama-tiny"] = "float16"
    assert records(tiny, "cells_table2")
