"""Checks of the registries of models, data sets, tasks and published dense perplexities."""

import math
import re
from pathlib import Path

import lm_eval
import pandas as pd
import pytest
from lm_eval.tasks._yaml_loader import load_yaml

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import checked
from sparsitysolver.config.published import published
from sparsitysolver.config.registry import TaskRow, datasets_table, models_table, tasks_table
from sparsitysolver.config.tables import descriptive_columns
from sparsitysolver.data import minilang
from sparsitysolver.errors import SparsitySolverError

GIB = 2**30
BYTES_PER_PARAMETER = 2.5  # float16 weights and room for loading them
WORKING_GIB = 8
CONTEXT = 2048
OPT_VOCABULARY, LLAMA_VOCABULARY = 50272, 32000
PAPER_MODELS = {key: row for key, row in models_table().items() if row.hub_id}
ZERO_SHOT = [row for row in tasks_table().values() if row.kind == "zero_shot"]
PAPER_TASKS = [row for row in ZERO_SHOT if row.dataset != "mini"]
HUB_NAME, COMMIT = re.compile(r"[\w.-]+/[\w.-]+"), re.compile(r"[0-9a-f]{40}")


def printed(number):
    """A table of the paper as text, its number columns only."""
    table = pd.read_csv(CONFIG / "paper" / f"table{number}.csv", dtype=str, keep_default_na=False).set_index("Method")
    return table.drop(columns=descriptive_columns(table))


def count_parameters(model):
    """All parameters of the model, a tied head counted once."""
    d, f, kv = model.hidden, model.ffn, model.kv_heads * model.head_dim
    if model.family == "opt":
        attention, ffn, norms = 4 * (d * d + d), 2 * d * f + f + d, 4 * d
        return (OPT_VOCABULARY + CONTEXT + 2) * d + model.layers * (attention + ffn + norms) + 2 * d
    attention, ffn, norms = 2 * d * d + 2 * d * kv, 3 * d * f, 2 * d
    return 2 * LLAMA_VOCABULARY * d + model.layers * (attention + ffn + norms) + d


@pytest.mark.parametrize("name", ["models.tsv", "tasks.tsv", "datasets.tsv", "methods.tsv"])
def test_keys_are_unique(name):
    keys = pd.read_csv(CONFIG / name, sep="\t", dtype=str)["key"]
    assert keys.is_unique and len(keys) > 1


@pytest.mark.parametrize("model", PAPER_MODELS.values(), ids=PAPER_MODELS)
def test_paper_models_are_pinned_and_their_sizes_are_right(model):
    assert COMMIT.fullmatch(model.revision)
    assert all(HUB_NAME.fullmatch(name) for name in (model.hub_id, *filter(None, model.alternates.split(","))))
    assert model.heads * model.head_dim == model.hidden and model.heads % model.kv_heads == 0
    assert count_parameters(model) == model.parameters
    assert model.memory_gib == math.ceil(BYTES_PER_PARAMETER * model.parameters / GIB + WORKING_GIB)
    assert 2 * model.parameters < model.gpus * 80 * GIB


def test_dense_values_are_the_dense_rows_of_the_paper():
    standard = {row.model: row for row in published() if not row.diagnosis}
    assert len(standard) == sum(not row.diagnosis for row in published()) == len(PAPER_MODELS) == 11
    assert {(row.dataset, row.split, row.seqlen) for row in standard.values()} == {("wikitext2", "test", 2048)}
    dense = {(name.split("@")[0], ppl) for n in (1, 2, 5, 6) for name, ppl in printed(n).loc["Dense"].items()}
    assert (
        dense == {(name, f"{row.ppl:.2f}") for name, row in standard.items()} and standard.keys() == PAPER_MODELS.keys()
    )
    assert len({row.revision for row in PAPER_MODELS.values()}) == 11


def test_a_diagnosis_cannot_be_mistaken_for_the_expected_value():
    assert all(row.source for row in published())
    for model in PAPER_MODELS:
        values = sorted((row.ppl, row.tolerance) for row in published() if row.model == model)
        for (low, below), (high, above) in zip(values, values[1:]):
            assert low + below < high - above, model


def test_tasks_cover_the_columns_of_the_paper_and_have_their_like_in_the_mini_language():
    names = [row.key for row in PAPER_TASKS]
    assert names == [row.harness_task for row in PAPER_TASKS] == [row.dataset for row in PAPER_TASKS]
    assert [*names, "average"] == list(printed(3))
    mini = [row for row in ZERO_SHOT if row.dataset == "mini"]
    assert [row.key for row in mini] == [f"mini_{name}" for name in names]
    assert [(row.harness_task, row.metric) for row in mini] == [(row.key, row.metric) for row in PAPER_TASKS]
    assert {row.n_items for row in mini} == {minilang.ITEMS_PER_SPLIT}
    assert all(row.n_items > 0 and row.metric in ("acc", "acc_norm") for row in ZERO_SHOT)


def test_data_sets_are_known_and_pinned():
    assert all(COMMIT.fullmatch(row.revision) for row in datasets_table().values())
    assert {row.dataset for row in tasks_table().values()} - {"mini"} <= datasets_table().keys()
    assert all(row.hub_id and COMMIT.fullmatch(row.revision) for row in PAPER_TASKS) and len(PAPER_TASKS) == 7


def test_a_task_with_data_of_its_own_says_all_of_it():
    own = {"key": "new", "kind": "zero_shot", "dataset": "new", "metric": "acc", "hub_id": "org/new"}
    with pytest.raises(SparsitySolverError, match="here: task 'new' has a data set of its own and no harness_task and"):
        checked(TaskRow, own, "here")


@pytest.mark.parametrize("row", PAPER_TASKS, ids=lambda row: row.key)
def test_a_task_and_its_stock_file_speak_of_the_same_data(row):
    stock = load_yaml(Path(lm_eval.__file__).parent / "tasks" / row.stock)
    assert (stock["task"], stock["dataset_path"]) == (row.harness_task, row.hub_id)
    assert (stock["dataset_name"] or "") == row.config
    assert (stock.get("test_split") or stock["validation_split"]) == row.split
