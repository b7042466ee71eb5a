"""Checks of the registries of models, data sets, tasks and published dense perplexities."""

import math
import re
from pathlib import Path

import lm_eval
import pandas as pd
import pytest
from lm_eval.tasks._yaml_loader import load_yaml

from sparsitysolver.config.contract import checked
from sparsitysolver.config.registry import TaskRow, tasks_table
from sparsitysolver.data import minilang
from sparsitysolver.errors import SparsitySolverError

CONFIG = Path(__file__).parents[2] / "config"
GIB = 2**30
BYTES_PER_PARAMETER = 2.5  # float16 weights and room for loading them
WORKING_GIB = 8
CONTEXT = 2048
OPT_VOCABULARY, LLAMA_VOCABULARY = 50272, 32000
TABLE_MARKS = {
    "Method",
    "Reproduced",
    "Layerwise Sparsity",
    "Searched Sparsity",
    "Weight Update",
    "Additional Parameters",
}


def registry(name: str) -> pd.DataFrame:
    separator = "," if name.endswith(".csv") else "\t"
    return pd.read_csv(CONFIG / name, sep=separator, dtype=str, keep_default_na=False)


MODELS = registry("models.tsv").set_index("key")
PAPER_MODELS = MODELS[MODELS["hub_id"] != ""]


def count_parameters(model: pd.Series) -> int:
    """All parameters of the model, a tied head counted once."""
    layers, d, f = (int(model[c]) for c in ("layers", "hidden", "ffn"))
    kv = int(model["kv_heads"]) * int(model["head_dim"])
    if model["family"] == "opt":
        attention, ffn, norms = 4 * (d * d + d), 2 * d * f + f + d, 4 * d
        return (OPT_VOCABULARY + CONTEXT + 2) * d + layers * (attention + ffn + norms) + 2 * d
    attention, ffn, norms = 2 * d * d + 2 * d * kv, 3 * d * f, 2 * d
    return 2 * LLAMA_VOCABULARY * d + layers * (attention + ffn + norms) + d


def published_models() -> set[str]:
    tables = [registry(f"paper/table{number}.csv") for number in (1, 2, 5, 6)]
    return {column.split("@")[0] for table in tables for column in table if column not in TABLE_MARKS}


@pytest.mark.parametrize("name", ["models.tsv", "tasks.tsv", "datasets.tsv"])
def test_keys_are_unique_and_no_line_is_ragged(name):
    lines = (CONFIG / name).read_text().splitlines()
    assert len({line.count("\t") for line in lines}) == 1
    assert registry(name)["key"].is_unique


def test_every_model_of_the_paper_is_registered():
    assert published_models() == set(PAPER_MODELS.index)
    assert len(PAPER_MODELS) == 11


@pytest.mark.parametrize("key", PAPER_MODELS.index)
def test_paper_models_are_pinned(key):
    model = PAPER_MODELS.loc[key]
    assert re.fullmatch(r"[0-9a-f]{40}", model["revision"])
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", model["hub_id"])
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", other) for other in model["alternates"].split(",") if other)
    assert PAPER_MODELS["revision"].is_unique


@pytest.mark.parametrize("key", PAPER_MODELS.index)
def test_shapes_give_the_stated_number_of_parameters(key):
    model = PAPER_MODELS.loc[key]
    assert int(model["heads"]) * int(model["head_dim"]) == int(model["hidden"])
    assert int(model["heads"]) % int(model["kv_heads"]) == 0
    assert count_parameters(model) == int(model["parameters"])


@pytest.mark.parametrize("key", PAPER_MODELS.index)
def test_memory_and_gpus_fit_the_weights(key):
    model = PAPER_MODELS.loc[key]
    parameters = int(model["parameters"])
    expected = math.ceil(BYTES_PER_PARAMETER * parameters / GIB + WORKING_GIB)
    assert int(model["memory_gib"]) == expected
    assert 2 * parameters < int(model["gpus"]) * 80 * GIB


def test_dense_values_are_the_dense_rows_of_the_paper():
    dense = registry("paper/dense.csv")
    standard = dense[dense["diagnosis"] == ""].set_index("model")
    assert standard.index.is_unique
    assert set(standard.index) == published_models()
    assert set(standard["dataset"] + standard["split"] + standard["seqlen"]) == {"wikitext2test2048"}
    for number in (1, 2):
        row = registry(f"paper/table{number}.csv").set_index("Method").loc["Dense"]
        for column, value in row.drop(TABLE_MARKS & set(row.index)).items():
            assert standard.loc[column.split("@")[0], "ppl"] == value


def test_a_diagnosis_cannot_be_mistaken_for_the_expected_value():
    dense = registry("paper/dense.csv")
    assert (dense["source"] != "").all()
    for model, rows in dense.groupby("model"):
        values = sorted(zip(rows["ppl"].astype(float), rows["tolerance"].astype(float)))
        for (low, below), (high, above) in zip(values, values[1:]):
            assert low + below < high - above, model


def test_tasks_name_registered_data_and_cover_the_columns_of_the_paper():
    tasks = registry("tasks.tsv").set_index("key")
    zero_shot = tasks[tasks["kind"] == "zero_shot"]
    table3 = registry("paper/table3.csv")
    bundled = {"mini"}
    published = zero_shot[~zero_shot["dataset"].isin(bundled)]
    assert list(published["harness_task"]) == list(published.index) and set(published["dataset"]) == set(
        published.index
    )
    assert list(published.index) == [c for c in table3 if c not in TABLE_MARKS | {"average"}]
    mini = zero_shot.drop(published.index)
    assert list(mini.index) == [f"mini_{key}" for key in published.index]
    assert list(mini["metric"]) == list(published["metric"])
    assert set(tasks["kind"]) == {"perplexity", "zero_shot"}
    assert zero_shot["metric"].isin(["acc", "acc_norm"]).all()
    assert zero_shot["n_items"].astype(int).gt(0).all()
    assert set(tasks["dataset"]) - bundled - set(published.index) <= set(registry("datasets.tsv")["key"])


def test_every_zero_shot_task_has_its_like_in_the_mini_language():
    tasks = registry("tasks.tsv").set_index("key")
    real = tasks[(tasks["kind"] == "zero_shot") & (tasks["dataset"] != "mini")]
    mini = tasks[(tasks["kind"] == "zero_shot") & (tasks["dataset"] == "mini")]
    assert list(mini.index) == [f"mini_{key}" for key in real.index]
    assert list(mini["harness_task"]) == list(real.index) and list(mini["metric"]) == list(real["metric"])
    assert set(mini["n_items"].astype(int)) == {minilang.ITEMS_PER_SPLIT}


def test_data_sets_are_pinned():
    assert registry("datasets.tsv")["revision"].str.fullmatch(r"[0-9a-f]{40}").all()
    tasks = registry("tasks.tsv")
    own = tasks[tasks["hub_id"] != "-"]
    assert own["revision"].str.fullmatch(r"[0-9a-f]{40}").all() and len(own) == 7


def test_a_task_with_data_of_its_own_says_all_of_it():
    own = {"key": "new", "kind": "zero_shot", "dataset": "new", "metric": "acc", "hub_id": "org/new"}
    with pytest.raises(SparsitySolverError, match="here: task 'new' has a data set of its own and no harness_task and"):
        checked(TaskRow, own, "here")


@pytest.mark.parametrize("row", [row for row in tasks_table().values() if row.hub_id], ids=lambda row: row.key)
def test_a_task_and_its_stock_file_speak_of_the_same_data(row):
    stock = load_yaml(Path(lm_eval.__file__).parent / "tasks" / row.stock)
    assert (stock["task"], stock["dataset_path"]) == (row.harness_task, row.hub_id)
    assert (stock["dataset_name"] or "") == row.config
    assert (stock.get("test_split") or stock["validation_split"]) == row.split
