"""Every kind of configuration file is read as it stands, and a mistake in it is one sentence that names the place."""

import re

import pytest

from sparsitysolver import CONFIG
from sparsitysolver.config.arena import ArenaDefinition
from sparsitysolver.config.auto import Choice
from sparsitysolver.config.contract import read_rows, read_yaml
from sparsitysolver.config.figures import load_figure, load_study
from sparsitysolver.config.paper import (
    AcceptedTolerance,
    Cost,
    Label,
    PublishedSearch,
    PublishedTolerance,
    Quantity,
    Title,
    WatchedCells,
)
from sparsitysolver.config.published import Anchor, KnownText
from sparsitysolver.config.registry import DatasetRow, MethodRow, ModelRow, TaskRow
from sparsitysolver.config.self_pruner import SelfPruner
from sparsitysolver.config.settings import GridSettings, grids, load_grid
from sparsitysolver.config.tables import load_definition, tables
from sparsitysolver.errors import SparsitySolverError

KINDS = {
    "models.tsv": ModelRow,
    "datasets.tsv": DatasetRow,
    "tasks.tsv": TaskRow,
    "methods.tsv": MethodRow,
    "auto.tsv": Choice,
    "paper/dense.csv": Anchor,
    "paper/texts.csv": KnownText,
    "paper/titles.csv": Title,
    "paper/searches.csv": PublishedSearch,
    "paper/quantities.csv": Quantity,
    "paper/labels.csv": Label,
    "paper/tolerances.csv": PublishedTolerance,
    "regression/tolerances.csv": AcceptedTolerance,
    "paper/costs.yaml": tuple[Cost, ...],
    "regression/cells.yaml": WatchedCells,
    "arena.yaml": ArenaDefinition,
    "self_pruner.yaml": SelfPruner,
    "grids/tiny.yaml": GridSettings,
}
MISTAKES = [  # a change of a file, and what is said of it
    ("models.tsv", "12\t768", "twelve\t768", "line 2, layers: should be a valid integer, unable to parse .*'twelve'"),
    ("models.tsv", "hidden", "hiden", "line 1: column 'hidden' is missing"),
    ("models.tsv", "opt-125m\topt", "opt-125m", "line 2, row 'opt-125m': 14 fields, the header has 15"),
    ("datasets.tsv", "allenai/c4", "-", "line 3: 'hub_id' is missing; needed: key, hub_id, revision"),
    ("tasks.tsv", "perplexity", "perplexed", r"unknown kind \(in .*, line 2\) 'perplexed'; did you mean perplexity"),
    ("methods.tsv", "update=yes", "update", "line 9, options: needs name=value pairs .*; found 'update'"),
    ("auto.tsv", "\t10.0\t", "\tten\t", "line 4, evaluations_per_unit: should be a valid number"),
    ("paper/dense.csv", "source", "sauce", "line 1: column 'source' is missing"),
    ("paper/texts.csv", ",yes,", ",perhaps,", "line 2, published: should be a valid boolean"),
    ("paper/titles.csv", "table,title", "table,title,more", "line 2, row 'table1': 2 fields"),
    ("paper/searches.csv", "sparsitysolver,3000", "solver,3000", "line 2: unknown method 'solver'"),
    ("paper/labels.csv", "width", "height", r"unknown measure \(in .*, line 2\) 'height'; did you mean weights"),
    ("paper/tolerances.csv", ",0.02,", ",two,", "line 3, relative: should be a valid decimal; found 'two'"),
    ("regression/tolerances.csv", ",other,", ",another,", r"unknown machine \(in .*\) 'another'; did you mean other"),
    ("paper/costs.yaml", "formula:", "formulae:", r"unknown field \(in .*, entry 1\) 'formulae'; did you mean formula"),
    ("paper/costs.yaml", "{row: Episode}", "{value: 3}", "entry 1, inputs, episodes: needs 'row' .*, or 'value'"),
    ("regression/cells.yaml", "method: flap,", "method: flop,", "unknown method 'flop'; did you mean flap"),
    ("regression/cells.yaml", ": wanda, sparsity: 0.5", ": wanda", "cells, entry 7: every method but dense needs"),
    ("arena.yaml", "{label: AMC}", "{}", "entrants, amc: 'label' is missing; needed: label"),
    ("arena.yaml", "reference:", "referent:", r"unknown field \(in .*\) 'referent'; did you mean reference"),
    ("self_pruner.yaml", "drop: 0.80", "drop: few", "published, entry 1, drop: should be a valid number"),
    ("grids/tiny.yaml", "task: mini ", "task: mimi ", "unknown task 'mimi'; did you mean mini"),
    ("grids/tiny.yaml", "torch_threads", "torch_thread", "unknown field .*'torch_thread'; did you mean torch_threads"),
    ("grids/tiny.yaml", "{rounds:", "{round:", r"unknown field \(in .*, inference\) 'round'; did you mean rounds"),
    ("grids/tiny.yaml", "episodes: 150", "episodes: 0", "task_search, episodes: should be greater than 0; found 0"),
    ("grids/tiny.yaml", "arena_search: {", "arena_search: [", "is no YAML file"),
    ("tables/table2.yaml", "name: Dense", "name: Dens", "unknown row of the published table .*did you mean Dense"),
    ("tables/table2.yaml", "method: dense", "method: dens", "unknown method 'dens'; did you mean dense"),
    ("tables/table2.yaml", "columns: models", "columns: rows", r"unknown columns \(in .*\) 'rows'"),
    ("tables/table2.yaml", "sparsity: 0.2", "sparsity: [0.2, 0.3]", "take one sparsity, found 2"),
    ("tables/table2.yaml", "\nrows:", "\nrow:", "unknown field .*'row'; did you mean rows"),
    ("tables/table2.yaml", "title:", "# title:", "'title' is missing; needed: title, published, columns"),
    ("figures/figure6.yaml", "from: curves", "from: curve", "unknown kind of results 'curve'; did you mean curves"),
    ("figures/figure6.yaml", "amc_broadcast,", "amc_broad,", "unknown method 'amc_broad'; did you mean amc_broadcast"),
    ("figures/figure6.yaml", "window:", "windows:", r"unknown field \(in .*\) 'windows'; did you mean window"),
    ("figures/figure6.yaml", "[uniform]", "[uniforms]", r"unknown entry 1 \(in .*, show\) 'uniforms'"),
    ("studies/study1.yaml", ", sparsity: 0.2", "", "needs, entry 2: 'sparsity' is missing"),
]


def read(path):
    """A file by the reader of its kind."""
    name = str(path.relative_to(path.parents[1]))
    if name.startswith("tables/"):
        return load_definition(path.stem, path.parents[1])
    if name.startswith("figures/"):
        return load_figure(path.stem, path.parents[1])
    if name.startswith("studies/"):
        return load_study(path.stem, path.parents[1])
    kind = KINDS.get(name) or KINDS[path.name]
    return read_yaml(path, kind) if path.suffix == ".yaml" else read_rows(path, kind)


@pytest.mark.parametrize("name", KINDS)
def test_files_are_read_as_they_stand(name):
    assert read(CONFIG / name)


def test_every_grid_table_figure_and_study_is_read():
    assert all(load_grid(name).task for name in grids())
    assert all(load_definition(name).rows for name in tables())
    assert all(load_figure(path.stem).kinds for path in (CONFIG / "figures").glob("*.yaml"))
    assert all(load_study(path.stem).kinds for path in (CONFIG / "studies").glob("*.yaml"))


@pytest.mark.parametrize(("file", "old", "new", "said"), MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_file_and_the_place(file, old, new, said, tmp_path):
    for path in CONFIG.glob("**/*.*"):
        copy = tmp_path / "config" / path.relative_to(CONFIG)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    path = tmp_path / "config" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SparsitySolverError, match=said) as error:
        read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert not re.search("pydantic|instance of|Traceback", str(error.value))
