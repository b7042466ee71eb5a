"""Collecting cells: what is refused, what the long form holds, that it is deterministic."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from cell_factory import first_right, make_cell, make_grid, make_task_cell

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CELLS
from sparsitysolver.records.files import content_key, write_text
from sparsitysolver.reporting.collected.collect import check_fingerprints, collect, read_cells, read_cells_csv
from sparsitysolver.reporting.collected.samples import read_samples


def test_reporting_never_loads_torch():
    rooms = [
        "collected.collect",
        "pages.paper_tables",
        "pages.readme",
        "collected.gather",
    ]
    rooms += ["tables.files", "compare.verdicts", "regression.files", "bundle.redraw", "studies.arena", "audit.table"]
    code = f"import sys, {', '.join(f'sparsitysolver.reporting.{room}' for room in rooms)}; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'pandas'" in loaded
    assert "'torch'" not in loaded
    assert "'transformers'" not in loaded


def test_long_form_has_one_row_per_metric_with_its_provenance(collected):
    metrics = {"acc": {"value": 0.5, "stderr": None, "n": 10}, "acc_norm": {"value": 0.6, "n": 10}}
    search = {"algorithm": "ppo", "evaluations": 300, "tokens": 99}
    cell = make_cell(metrics=metrics, search=search, task="wikitext2")
    cell["leakage"]["searched_on_reported_split"] = None
    frame = read_cells_csv(collected([cell]))
    assert list(frame) == list(CELLS.columns)
    assert frame[["metric", "value", "n"]].values.tolist() == [["acc", 0.5, 10], ["acc_norm", 0.6, 10]]
    row = frame.iloc[0]
    assert (row["search_algorithm"], row["search_evaluations"], row["calibration_tokens"]) == ("ppo", "300", "131072")
    flags = ("calibrated_on_eval_domain", "searched_on_reported_split", "saw_task")
    assert tuple(row[flag] for flag in flags) == ("yes", "unknown", "no")
    assert row["fingerprint"] == content_key(cell["fingerprint"])
    assert row["versions"] == "numpy 2.3; torch 2.8"
    assert row["join"] == "\n\n"
    assert row["cell"] == content_key(cell)


def test_skipped_cell_has_a_row_with_empty_metric(collected):
    frame = read_cells_csv(collected([make_cell(), make_cell(method="svd_llm", value=None, reason="no code")]))
    row = frame[frame["method"] == "svd_llm"].iloc[0]
    assert (row["status"], row["metric"], row["reason"]) == ("skipped", "", "no code")
    assert row["value"] != row["value"]


def test_full_precision_survives(collected):
    value = 34.100000000000001234
    assert read_cells_csv(collected([make_cell(value=value)]))["value"].iloc[0] == value


def test_same_bytes_in_any_order_of_files(save, tmp_path):
    paths = save(make_grid(("opt-125m", "opt-1.3b")))
    collect(paths, tmp_path / "a.csv")
    collect(paths[::-1] + paths, tmp_path / "b.csv")  # a file named twice counts once
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_samples_are_kept_by_cell_and_metric(collected):
    text, task = make_cell(windows=[3.25, 3.5]), make_task_cell("mini_piqa", "flap", [1, 0, 0])
    samples = read_samples(collected([text, task, make_cell(method="flap")]).with_name("cells.samples.npz"))
    assert set(samples) == {f"{content_key(text)}/ppl", f"{content_key(task)}/acc", f"{content_key(task)}/acc_norm"}
    np.testing.assert_array_equal(samples[f"{content_key(text)}/ppl"], [3.25, 3.5])
    np.testing.assert_array_equal(samples[f"{content_key(task)}/acc_norm"], [1, 0, 0])


def test_samples_have_no_time_or_order_in_their_bytes(save, tmp_path):
    paths = save([make_cell(windows=[3.25, 3.5]), make_task_cell("mini_piqa", "flap", [1, 0, 0])])
    for folder, order in (("a", paths), ("b", paths[::-1])):
        collect(order, tmp_path / folder / "cells.csv")
    first, second = (tmp_path / folder / "cells.samples.npz" for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_reading_something_else_than_samples(tmp_path):
    with pytest.raises(SparsitySolverError, match=r"no samples at .*report collect"):
        read_samples(tmp_path / "cells.samples.npz")
    for text in ("", "cells"):
        write_text(tmp_path / "cells.samples.npz", text)
        with pytest.raises(SparsitySolverError, match=r"samples\.npz holds no samples"):
            read_samples(tmp_path / "cells.samples.npz")
    np.save(tmp_path / "one.npy", np.ones(2))
    with pytest.raises(SparsitySolverError, match=r"one\.npy holds no samples"):
        read_samples(tmp_path / "one.npy")


def test_zero_shot_protocol_has_its_columns_and_perplexity_leaves_them_empty(collected):
    frame = read_cells_csv(collected([make_cell(), make_task_cell("mini_boolq", "flap", first_right(3, 4))]))
    task, text = (frame[frame["task"] == name].iloc[0] for name in ("mini_boolq", "wikitext2"))
    assert (task["metric"], task["value"], task["items"], task["batch_size"]) == ("acc", 0.75, 4, 8)
    assert (task["items_sha256"], task["task_version"], task["harness"]) == ("i-mini_boolq", "1.0", "lm_eval 0.4.13")
    assert (task["join"], task["text_sha256"], task["windows"] != task["windows"]) == ("", "", True)
    assert (text["items_sha256"], text["harness"], text["items"] != text["items"]) == ("", "", True)


@pytest.mark.parametrize("field", ["kind", "items_sha256", "harness", "batch_size"])
def test_fingerprint_of_a_zero_shot_cell_is_whole(save, field):
    (path,) = save([make_task_cell("mini_boolq", "flap", [1, 0])])
    cell = json.loads(path.read_text())
    del cell["fingerprint"][field]
    write_text(path, json.dumps(cell))
    with pytest.raises(SparsitySolverError, match=r"fingerprint: '.*' is missing"):
        read_cells([path])


def test_correctness_is_zero_or_one(save):
    (path,) = save([make_task_cell("mini_boolq", "flap", [1, 0])])
    write_text(path, path.read_text().replace('"acc": [\n   1,', '"acc": [\n   0.5,'))
    with pytest.raises(SparsitySolverError, match=r"samples, acc, entry 1: .* found 0\.5"):
        read_cells([path])


@pytest.mark.parametrize(
    "field", ["items_sha256", "items", "task_version", "harness", "fewshot", "batch_size", "dtype"]
)
def test_column_of_a_task_shares_the_whole_fingerprint(field):
    value = "other" if field in ("items_sha256", "task_version", "harness", "dtype") else 99
    cells = [
        make_task_cell("mini_boolq", m, [1, 0], fingerprint=f) for m, f in (("dense", {}), ("flap", {field: value}))
    ]
    with pytest.raises(SparsitySolverError, match=rf"one column.*'{field}' differs"):
        check_fingerprints(cells)


@pytest.mark.parametrize(("field", "refused"), [("items_sha256", True), ("bos", False), ("batch_size", False)])
def test_models_of_a_task_share_items_and_harness_but_neither_bos_nor_batch_size(field, refused):
    other = {field: 99 if field == "batch_size" else "other"}
    cells = [
        make_task_cell("mini_boolq", "dense", [1, 0], model=m, fingerprint=f) for m, f in (("a", {}), ("b", other))
    ]
    if refused:
        with pytest.raises(SparsitySolverError, match=rf"one table.*'{field}' differs"):
            check_fingerprints(cells)
    else:
        check_fingerprints(cells)


def test_tasks_are_columns_of_their_own():
    check_fingerprints(
        [make_task_cell(task, "dense", [1, 0, 1]) for task in ("mini_boolq", "mini_piqa")] + [make_cell()]
    )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ['"value": 27.64', '"wall_seconds": 1.5'])
def test_not_finite_number_names_the_cell_and_the_place(save, number, field):
    (path,) = save([make_cell()])
    name = field.split('"')[1]
    write_text(path, path.read_text().replace(field, f'"{name}": {number}'))
    with pytest.raises(SparsitySolverError, match=rf"opt-125m, dense.*{path.name}.*{name}"):
        read_cells([path])


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', ""])
def test_broken_cell_names_the_file(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(SparsitySolverError, match=r"broken\.json"):
        read_cells([path])


@pytest.mark.parametrize("field", ["metrics", "fingerprint", "size"])
def test_measured_cell_needs_what_only_skipped_ones_may_lack(save, field):
    cell = make_cell()
    del cell[field]
    (path,) = save([cell])
    with pytest.raises(SparsitySolverError, match=f"{path.name}.*without {field}"):
        read_cells([path])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seqlen", 1024),
        ("windows", 8),
        ("tokens", 5),
        ("dtype", "float16"),
        ("join", " "),
        ("bos", "none"),
        ("bos", "1"),
    ],
)
def test_column_of_mixed_fingerprints_names_both_cells_field_and_values(save, field, value):
    one, other = make_cell(), make_cell(method="flap", fingerprint={field: value})
    with pytest.raises(SparsitySolverError) as error:
        check_fingerprints([one, other])
    message = str(error.value)
    assert "opt-125m, dense" in message
    assert "opt-125m, flap" in message
    assert f"'{field}'" in message
    assert repr(value) in message
    assert repr(one["fingerprint"][field]) in message


@pytest.mark.parametrize(("field", "value"), [("dtype", "float16"), ("join", " "), ("revision", "r2")])
def test_table_of_mixed_protocols_is_refused(field, value):
    cells = [make_cell(), make_cell("opt-1.3b", fingerprint={field: value})]
    with pytest.raises(SparsitySolverError, match=rf"one table.*'{field}'.*opt-125m.*opt-1\.3b"):
        check_fingerprints(cells)


@pytest.mark.parametrize("bos", ["1", "none"])
def test_what_follows_from_the_model_may_differ_between_models(bos):
    tokens = {"seqlen": 512, "windows": 7, "tokens": 3600, "bos": bos}  # another maximum, another tokenizer
    rows = [make_cell("llama-2-7b", method, fingerprint=tokens) for method in ("dense", "flap")]
    check_fingerprints([make_cell(), *rows])


def test_splits_are_columns_of_their_own():
    validation = make_cell(split="validation", fingerprint={"split": "validation", "text_sha256": "v", "windows": 3})
    check_fingerprints([make_cell(), validation])


def test_split_of_fingerprint_is_the_cells_own():
    with pytest.raises(SparsitySolverError, match=r"'split' differs: 'validation'.*'test'"):
        check_fingerprints([make_cell(fingerprint={"split": "validation"})])


def test_other_weights_under_one_name_are_refused():
    other = make_cell(method="flap", model="opt-125m")
    other["model"]["weights_sha256"] = "other"
    with pytest.raises(SparsitySolverError, match="'weights_sha256'"):
        check_fingerprints([make_cell(), other])


def zero_shot_cell(model="opt-125m", **changes):
    """A cell of accuracy: its fingerprint has fields of its own."""
    cell = make_cell(model, task="boolq", split="report", metrics={"acc": {"value": 0.5, "stderr": 0.1, "n": 40}})
    cell["fingerprint"] = {
        "kind": "zero_shot",
        "dataset": "boolq",
        "revision": "r1",
        "items_sha256": "i",
        "items": 40,
        "split": "report",
        "task_version": "2.0",
        "harness": "lm_eval 0.4.13",
        "fewshot": 0,
        "batch_size": 8,
        "bos": "tokenizer",
        "seqlen": 2048,
        "dtype": "float32",
        **changes,
    }
    return cell


def test_cells_of_accuracy_share_the_items_and_the_harness():
    check_fingerprints([zero_shot_cell(), zero_shot_cell("llama-2-7b", seqlen=4096), make_cell()])
    for field, value in (("items_sha256", "j"), ("harness", "lm_eval 0.4.0"), ("dtype", "float16")):
        with pytest.raises(SparsitySolverError, match=f"one table.*'{field}'"):
            check_fingerprints([zero_shot_cell(), zero_shot_cell("llama-2-7b", **{field: value})])


def test_cells_of_accuracy_are_collected(save, tmp_path):
    collect(save([zero_shot_cell(), make_cell()]), tmp_path / "cells.csv")
    frame = read_cells_csv(tmp_path / "cells.csv").set_index("task")
    assert (frame.loc["boolq", "metric"], frame.loc["boolq", "value"]) == ("acc", 0.5)
    assert (frame.loc["boolq", "text_sha256"], frame.loc["boolq", "dataset"]) == ("", "boolq")


def test_collect_names_the_files_of_mixed_cells(save, tmp_path):
    paths = save([make_cell(), make_cell(method="flap", fingerprint={"seqlen": 1024})])
    with pytest.raises(SparsitySolverError) as error:
        collect(paths, tmp_path / "cells.csv")
    assert all(path.name in str(error.value) for path in paths)
    assert not (tmp_path / "cells.csv").exists()


def test_reading_something_else_than_collected_cells(tmp_path):
    with pytest.raises(SparsitySolverError, match="no collected cells"):
        read_cells_csv(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SparsitySolverError, match="column 'model' is missing"):
        read_cells_csv(tmp_path / "other.csv")
