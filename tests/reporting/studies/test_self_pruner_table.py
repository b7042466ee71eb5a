"""Self-Pruner's own table, from cells and times made by hand."""

import json

import pandas as pd
import pytest
from cell_factory import first_right, make_task_cell
from run_factory import put_cells

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import write_record
from sparsitysolver.reporting.studies.self_pruner import self_pruner_command

TASKS = ("mini_boolq", "mini_hellaswag")  # scored by acc and by acc_norm
ITEMS = 40


def timed(method, sparsity, speedup):
    speed = {"seconds": 1.0, "tokens_per_second": 64.0}
    ratio = {"value": speedup, "low": speedup - 0.1, "high": speedup + 0.1, "coverage": 0.95}
    seconds = {"prefill": [1.0], "decode": [1.0]}
    return {
        "method": method,
        "label": method,
        "sparsity": sparsity,
        "seed": 0,
        "status": "ok",
        "size": {"parameters": 1, "nonzeros": 1, "bytes": 1, "achieved_sparsity": sparsity},
        "cache_check": {"tokens": 1, "different": 0, "distance": 0.0},
        "peak_memory_bytes": 1,
        "prefill": speed,
        "decode": speed,
        "speedup": {"prefill": ratio | {"value": 9.0}, "decode": ratio},
        "rounds": {"seconds": seconds},
    }


@pytest.fixture
def measured(tmp_path):
    """38 of 40 right when dense, 34 and 30 when pruned, on both tasks."""
    right = {("dense", 0.0): 38, ("evolution", 0.3): 34, ("evolution", 0.5): 30}
    cells = [
        make_task_cell(task, method, first_right(count, ITEMS), sparsity=sparsity)
        for task in TASKS
        for (method, sparsity), count in right.items()
    ]
    put_cells(tmp_path, cells, "self_pruner")
    record = {
        "format": 1,
        "model": {"name": "llama-tiny", "family": "llama", "weights_sha256": "0" * 64},
        "protocol": {"batch": 1, "prompt_tokens": 64, "new_tokens": 64, "prompt_sha256": "0"}
        | {"rounds": 1, "dtype": "float32", "devices": 1, "memory": ""},
        "models": [timed("dense", 0.0, 1.0), timed("evolution", 0.3, 1.2), timed("evolution", 0.5, 1.5)],
        "provenance": {"versions": {}, "commit": "", "device": "cpu", "threads": 1, "seeds": {}},
    }
    write_record(tmp_path / "inference.json", record, "inference")
    return tmp_path


def table(folder):
    self_pruner_command(folder / "cells_self_pruner.csv", folder / "inference.json", folder / "self_pruner.csv")
    return pd.read_csv(folder / "self_pruner.csv", dtype={"sparsity": str}).set_index(["method", "sparsity"])


def test_accuracy_lost_and_speed_gained(measured):
    row = table(measured).loc[("evolution", "0.3")]
    assert (row["dense_accuracy"], row["accuracy"], row["drop_points"]) == pytest.approx((95.0, 85.0, 10.0))
    assert row["drop_percent"] == pytest.approx(100 * 10 / 95)
    assert row["low"] < 10 < row["high"] and row["low"] > 0
    assert (row["speedup"], row["speedup_low"], row["speedup_high"]) == pytest.approx((1.2, 1.1, 1.3))
    assert (row["published_drop"], row["published_speedup"], row["verdict"]) == (0.8, 1.39, "not comparable")
    assert row["tasks"] == 2


def test_rows_of_one_sparsity_that_removed_another_share_say_so(measured):
    """A second row at 30% whose models removed 21.5% of the weights."""
    path = measured / "cells_self_pruner.csv"
    cells = pd.read_csv(path, dtype=str, keep_default_na=False)
    pruned = (cells["method"] == "evolution") & (cells["sparsity"] == "0.3")
    other = cells[pruned].assign(method="self_pruner", achieved_sparsity="0.215")
    pd.concat([cells, other]).to_csv(path, index=False)
    record = json.loads((measured / "inference.json").read_text())
    record["models"].append(timed("self_pruner", 0.3, 1.1))
    write_record(measured / "inference.json", record, "inference")
    rows = table(measured)
    words = "unequal sparsity: 20.0% and 21.5% of the prunable weights removed"
    assert rows.loc[("evolution", "0.3"), "comparison"] == words
    assert pd.isna(rows.loc[("evolution", "0.5"), "comparison"])
    page = (measured / "self_pruner.md").read_text()
    assert f"- Evolution (Self-Pruner's control) at 0.3: {words}." in page and "21.5%, 125 M" in page


def test_without_a_chat_model_self_pruner_was_not_run(measured):
    rows = table(measured).loc["self_pruner"]
    assert list(rows["status"]) == ["not run"] * 2
    assert rows["accuracy"].isna().all() and list(rows["published_speedup"]) == [1.39, 1.70]
    page = (measured / "self_pruner.md").read_text()
    assert page.count("not run") == 2 and "llama-tiny" in page


def test_rows_of_other_tasks_or_without_times_are_an_error(measured):
    text = (measured / "inference.json").read_text()
    (measured / "inference.json").write_text(text.replace('"evolution"', '"other"'))
    with pytest.raises(SparsitySolverError, match=r"no times of 'evolution' at sparsity 0\.3"):
        table(measured)
    cells = [make_task_cell(task, "dense", first_right(3, 4), sparsity=0.0) for task in TASKS]
    cells += [make_task_cell(TASKS[0], "evolution", first_right(3, 4), sparsity=0.3)]
    put_cells(measured, cells, "self_pruner")
    with pytest.raises(SparsitySolverError, match="both need the same tasks"):
        table(measured)
