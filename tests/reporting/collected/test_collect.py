"""Collecting cells: what is refused, what the long form holds, that it is deterministic."""

import json
import zipfile

import numpy as np
import pytest
from cell_factory import first_right, make_cell, make_grid, make_task_cell

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CELLS
from sparsitysolver.records.files import content_key, write_text
from sparsitysolver.reporting.collected.checks import check_fingerprints, differing_versions
from sparsitysolver.reporting.collected.collect import collect, read_cell, read_cells_csv
from sparsitysolver.reporting.collected.samples import read_samples

# --- the long form --------------------------------------------------------------------------------------------------


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


def test_skipped_cell_has_a_row_with_empty_metric_and_numbers_keep_every_digit(collected):
    value = 34.100000000000001234
    cells = [make_cell(value=value), make_cell(method="svd_llm", value=None, reason="no code")]
    frame = read_cells_csv(collected(cells)).set_index("method")
    assert frame.loc["dense", "value"] == value
    skipped = frame.loc["svd_llm"]
    assert (skipped["status"], skipped["metric"], skipped["reason"]) == ("skipped", "", "no code")
    assert skipped["value"] != skipped["value"]


def test_zero_shot_protocol_has_its_columns_and_perplexity_leaves_them_empty(collected):
    frame = read_cells_csv(collected([make_cell(), make_task_cell("mini_boolq", "flap", first_right(3, 4))]))
    task, text = (frame[frame["task"] == name].iloc[0] for name in ("mini_boolq", "wikitext2"))
    assert (task["metric"], task["value"], task["items"], task["batch_size"]) == ("acc", 0.75, 4, 8)
    assert (task["items_sha256"], task["task_version"], task["harness"]) == ("i-mini_boolq", "1.0", "lm_eval 0.4.13")
    assert (task["join"], task["text_sha256"], task["windows"] != task["windows"]) == ("", "", True)
    assert (text["items_sha256"], text["harness"], text["items"] != text["items"]) == ("", "", True)


def test_samples_are_kept_by_cell_and_metric_and_all_bytes_are_the_same_in_any_order(save, tmp_path):
    text, task = make_cell(windows=[3.25, 3.5]), make_task_cell("mini_piqa", "flap", [1, 0, 0])
    paths = save([text, task, *make_grid(("opt-1.3b",))])
    for folder, order in (("a", paths), ("b", paths[::-1] + paths)):  # a file named twice counts once
        collect(order, tmp_path / folder / "cells.csv")
    for name in ("cells.csv", "cells.samples.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with zipfile.ZipFile(tmp_path / "a" / "cells.samples.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    samples = read_samples(tmp_path / "a" / "cells.samples.npz")
    assert set(samples) == {f"{content_key(text)}/ppl", f"{content_key(task)}/acc", f"{content_key(task)}/acc_norm"}
    np.testing.assert_array_equal(samples[f"{content_key(text)}/ppl"], [3.25, 3.5])
    np.testing.assert_array_equal(samples[f"{content_key(task)}/acc_norm"], [1, 0, 0])


def test_reading_something_else_than_what_was_collected(tmp_path):
    with pytest.raises(SparsitySolverError, match="no collected cells at"):
        read_cells_csv(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SparsitySolverError, match="column 'model' is missing"):
        read_cells_csv(tmp_path / "other.csv")
    with pytest.raises(SparsitySolverError, match=r"no samples at .*report collect"):
        read_samples(tmp_path / "cells.samples.npz")
    np.save(tmp_path / "one.npy", np.ones(2))
    for name, text in (("cells.samples.npz", ""), ("cells.samples.npz", "cells"), ("one.npy", None)):
        if text is not None:
            write_text(tmp_path / name, text)
        with pytest.raises(SparsitySolverError, match=f"{name} holds no samples"):
            read_samples(tmp_path / name)


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        (["torch 2.13.0; python 3.11.7"] * 3, ""),
        (["torch 2.13.0; python 3.11.7", "torch 2.13.0; python 3.12.1"], ""),  # says nothing of the numbers
        (
            ["torch 2.12.0; transformers 5.1", "torch 2.13.0; transformers 5.1", "torch 2.13.0; transformers 5.1"],
            "torch 2.12.0 (1 cell) and 2.13.0 (2 cells)",
        ),
        (["torch 2.13.0", "torch 2.13.0; lm-eval 0.4.9"], "lm-eval 0.4.9 (1 cell) and unrecorded (1 cell)"),
    ],
)
def test_differing_versions(versions, told):
    assert differing_versions(versions) == told


# --- cells that are refused -----------------------------------------------------------------------------------------


def without(cell, *place):
    cell = inner = json.loads(json.dumps(cell))
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    return json.dumps(cell)


TEXT, TASK = make_cell(), make_task_cell("mini_boolq", "flap", [1, 0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *((text, r"x\.json") for text in ("{", "[]", '{"format": 1}', "")),
        *((without(TEXT, field), rf"x\.json.*without {field}") for field in ("metrics", "fingerprint", "size")),
        *(
            (without(TASK, "fingerprint", field), rf"x\.json is not a valid cell: fingerprint: '{missed}' is missing")
            for field, missed in (
                ("kind", "text_sha256"),  # without a kind it is a fingerprint of perplexity
                *((name, name) for name in ("items_sha256", "harness", "batch_size")),
            )
        ),
        (
            json.dumps(TASK).replace('"acc": [1,', '"acc": [0.5,'),
            r"samples, acc, entry 1: should be 0 or 1; found 0\.5\.",
        ),
        *(
            (
                json.dumps(TEXT).replace(field, f'"{name}": {number}'),
                rf"opt-125m, dense.*x\.json.*{name} is -?(nan|inf)",
            )
            for field, name in (('"value": 27.64', "value"), ('"wall_seconds": 1.5', "wall_seconds"))
            for number in ("NaN", "Infinity", "-Infinity", "1e999")
        ),
    ],
)
def test_broken_cell_names_the_file_and_the_place(tmp_path, text, words):
    write_text(tmp_path / "x.json", text)
    with pytest.raises(SparsitySolverError, match=words):
        read_cell(tmp_path / "x.json")


def other_weights():
    cell = make_cell(method="flap")
    cell["model"]["weights_sha256"] = "other"
    return cell


def changed(field, value, *axes, make=make_cell):
    return make(*axes, fingerprint={field: value})


def task(model="opt-125m", method="dense", **changes):
    return make_task_cell("mini_boolq", method, [1, 0], model=model, **changes)


COLUMN = [("seqlen", 1024), ("windows", 8), ("tokens", 5), ("dtype", "float16"), ("join", " "), ("bos", "every")]
TASK_COLUMN = [("items_sha256", "j"), ("items", 99), ("task_version", "2"), ("harness", "h"), ("fewshot", 99)]
TASK_COLUMN += [("batch_size", 99), ("dtype", "float16")]
TASK_TABLE = [("items_sha256", "j"), ("harness", "lm_eval 0.4.0"), ("dtype", "float16")]


@pytest.mark.parametrize(
    ("one", "other", "field", "scope"),
    [
        *((make_cell(), changed(*change, "opt-125m", "flap"), change[0], "one column") for change in COLUMN),
        *((task(), changed(*change, "opt-125m", "flap", make=task), change[0], "one column") for change in TASK_COLUMN),
        (make_cell(), other_weights(), "weights_sha256", "one column"),
        *(
            (make_cell(), changed(*change, "opt-1.3b"), change[0], "one table")
            for change in (("dtype", "float16"), ("join", " "), ("revision", "r2"))
        ),
        *((task(), changed(*change, "opt-1.3b", make=task), change[0], "one table") for change in TASK_TABLE),
    ],
)
def test_mixed_protocols_name_both_cells_the_field_and_both_values(one, other, field, scope):
    with pytest.raises(SparsitySolverError) as error:
        check_fingerprints([one, other])
    message = str(error.value)
    values = [
        repr((cell["model"] if field == "weights_sha256" else cell["fingerprint"])[field]) for cell in (one, other)
    ]
    assert message.startswith(f"cells of {scope} must share their protocol, and '{field}' differs: {values[0]} in opt-")
    assert f"; {values[1]} in {other['model']['name']}, {other['method']}, " in message


def test_split_of_fingerprint_is_the_cells_own():
    with pytest.raises(SparsitySolverError, match=r"'split' differs: 'validation'.*'test'"):
        check_fingerprints([make_cell(fingerprint={"split": "validation"})])


@pytest.mark.parametrize("bos", ["1", "none", "every"])
def test_what_may_differ_between_models_tasks_and_splits(bos):
    tokens = {"seqlen": 512, "windows": 7, "tokens": 3600, "bos": bos}  # another maximum, another tokenizer
    check_fingerprints(
        [
            make_cell(),
            *(make_cell("llama-2-7b", method, fingerprint=tokens) for method in ("dense", "flap")),
            make_cell(split="validation", fingerprint={"split": "validation", "text_sha256": "v", "windows": 3}),
            task(),
            task("llama-2-7b", fingerprint={"seqlen": 4096, "bos": bos, "batch_size": 99}),
            make_task_cell("mini_piqa", "dense", [1, 0, 1]),
        ]
    )


def test_collect_names_the_files_of_mixed_cells(save, tmp_path):
    paths = save([make_cell(), make_cell(method="flap", fingerprint={"seqlen": 1024})])
    with pytest.raises(SparsitySolverError) as error:
        collect(paths, tmp_path / "cells.csv")
    assert all(path.name in str(error.value) for path in paths)
    assert not (tmp_path / "cells.csv").exists()
