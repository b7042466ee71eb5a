"""Which cells are watched for regressions, and which models wait for their preflight."""

import shlex

import pytest

from sparsitysolver import sources
from sparsitysolver.config import paper, published
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans import collected, measurements
from sparsitysolver.plans.arena import Arena
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.documents import documents
from sparsitysolver.plans.grid import Grid

WATCHED = {
    ("dense", "0"),
    *((name, "0.2") for name in ("flap", "slicegpt", "svd_llm", "sparsitysolver", "sparsitysolver_recon")),
    *((name, "0.5") for name in ("wanda", "owl")),
}


def test_watched_cells_of_every_model_and_seed():
    cells = collected.regression_cells(Grid({"grid": "tiny", "models": "opt-tiny,llama-tiny", "seeds": "0,3"}))
    assert {(cell.method, cell.sparsity) for cell in cells} == WATCHED
    assert {cell.model for cell in cells} == {"opt-tiny", "llama-tiny"} and {cell.task for cell in cells} == {"mini"}
    assert {cell.seed for cell in cells if cell.method == "dense"} == {"0"}
    assert {cell.seed for cell in cells if cell.method == "flap"} == {"0", "3"}
    assert len(cells) == len(set(cells)) == 2 * (1 + 2 * (len(WATCHED) - 1))
    assert len(collected.regression_cells(Grid({"grid": "opt125m"}))) == len(WATCHED)


def test_a_watched_method_without_sparsity_is_refused(tmp_path, monkeypatch):
    (tmp_path / "cells.yaml").write_text("cells:\n  - {method: flap}\n")
    monkeypatch.setattr(paper, "REGRESSION", tmp_path)
    with pytest.raises(SparsitySolverError, match=r"cells\.yaml, cells, entry 1: every method but dense needs"):
        collected.regression_cells(Grid({}))


def test_only_models_with_a_published_perplexity_wait_for_their_preflight():
    tiny = Artefacts(Grid({"grid": "tiny"}))
    assert [measurements.gate(tiny, model) for model in tiny.grid.models] == [[], [], []]
    paper = Artefacts(Grid({"grid": "paper"}))
    for model in paper.grid.all_models():
        (path,) = measurements.gate(paper, model)
        assert path == measurements.preflight(paper, model).path
        assert path.startswith(f"results/preflight/{model}/")
        assert path.split("/")[-1] == measurements.preflight(paper, model).inputs["cell"].split("/")[-1]


def test_models_of_an_assets_folder_wait_if_they_bear_a_published_name(tmp_path):
    for name in ("my-opt", "opt-125m"):
        (tmp_path / "models" / name).mkdir(parents=True)
        for file in ("config.json", "tokenizer.json", "model.safetensors"):
            (tmp_path / "models" / name / file).write_text("{}")
    (tmp_path / "wikitext2").mkdir()
    local = Artefacts(Grid({"grid": "local", "assets": str(tmp_path)}))
    assert measurements.gate(local, "my-opt") == []
    assert len(measurements.gate(local, "opt-125m")) == 1


def test_accepted_values_are_an_option_where_they_are_stored(tmp_path, monkeypatch):
    """Beside the results, or in the project where the results lie elsewhere."""
    project = tmp_path / "project"
    (project / "results" / "accepted").mkdir(parents=True)
    monkeypatch.setattr(sources, "ROOT", project)
    monkeypatch.chdir(tmp_path)
    artefacts = Artefacts(Grid({"grid": "tiny", "models": "opt-tiny", "seeds": "0,1"}))

    def against():
        """The accepted values that the check reads, and its command."""
        made = {document.name: document for document in documents(artefacts, Arena(artefacts), {})}["regression"]
        words = shlex.split(made.words({}, {}, "results/regression.csv"))
        assert words[words.index("--grid") :][:7] == ["--grid", "tiny", "--models", "opt-tiny", "--seeds", "0", "1"]
        assert words[-4:] == ["&&", "cp", "results/regression/comparison.csv", "results/regression.csv"]
        given = words[words.index("--accepted") + 1 : -6] if "--accepted" in words else []
        return given, [path for path in made.inputs["files"] if "accepted" in path]

    assert against() == ([], [])
    (project / "results" / "accepted" / "tiny.csv").touch()
    assert against() == (["project/results/accepted/tiny.csv"],) * 2
    (tmp_path / "results" / "accepted").mkdir(parents=True)
    (tmp_path / "results" / "accepted" / "tiny.csv").touch()
    assert against() == (["results/accepted/tiny.csv"],) * 2


def test_anchors():
    standard = published.standard_anchor(published.anchors("opt-125m"), "wikitext2")
    assert (standard.ppl, standard.tolerance, standard.seqlen, standard.diagnosis) == (27.64, 0.03, 2048, "")
    assert published.standard_anchor(published.anchors("llama-2-7b"), "wikitext2").ppl == 5.47  # not the 4096 one
    assert published.standard_anchor(published.anchors("opt-125m"), "mini") is None
    assert published.published_anchors("opt-tiny") == []
    (trained,) = published.anchors("opt-tiny")
    assert trained.dataset == "mini" and trained.ppl > 1
