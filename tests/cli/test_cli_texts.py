"""Texts as users have them, through the commands: one text gives one number, and nothing is read as what it is not."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from commands import EVALUATE, MODEL, PRUNE, failure, output
from tiny import tiny_text

pytestmark = pytest.mark.filterwarnings("ignore")
SHORT = ("evaluate", MODEL, "--seqlen", "16", "--json", "--task")
SAMPLE = ("sample", MODEL, "--nsamples", "3", "--seqlen", "12", "--out")


def as_lines(*documents):
    return "".join(json.dumps({"text": document}) + "\n" for document in documents).encode()


@pytest.mark.parametrize(
    "change", [lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n", "\r"), "\ufeff{}".format]
)
def test_line_ends_and_marks_give_the_same_tokens_perplexity_and_fingerprint(change, place, capsys):
    """Of the evaluated text of an assets folder, and of the calibration windows drawn from another one."""
    before = json.loads(output(capsys, *EVALUATE, "--json"))
    output(capsys, *SAMPLE, "before.npy", "--calibration", "wikitext2")
    for name in ("train", "test"):
        path = place / "assets" / "wikitext2" / f"{name}.txt"
        path.write_bytes(change(path.read_text()).encode())
    assert json.loads(output(capsys, *EVALUATE, "--json")) == before
    output(capsys, *SAMPLE, "after.npy", "--calibration", "wikitext2")
    assert np.array_equal(np.load("before.npy"), np.load("after.npy"))
    assert (place / "before.npy.json").read_text() == (place / "after.npy.json").read_text()


def test_one_text_in_every_form_has_one_perplexity(place, capsys):
    parts = tiny_text(300, 1), tiny_text(500, 2)
    (place / "t.txt").write_text("\n\n".join(parts))
    (place / "t.txt.gz").write_bytes(gzip.compress("\n\n".join(parts).encode()))
    (place / "t.jsonl").write_bytes(as_lines(*parts))
    (place / "t.json.gz").write_bytes(gzip.compress(as_lines(*parts)))
    pd.DataFrame({"text": parts}).to_parquet(place / "t.parquet")
    found = [
        json.loads(output(capsys, *SHORT, name)) for name in ("t.txt", "t.txt.gz", "t.jsonl", "t.json.gz", "t.parquet")
    ]
    for one in found:
        del one["fingerprint"]  # names the file
    assert all(one == found[0] for one in found) and found[0]["tokens"] == 801


REFUSED = {
    "NUL": ("t.txt", bytes(5000), "holds 5000 NUL characters"),
    "table": ("t.csv", b"text\nw5\n", "t.csv is a table, not a text"),
    "null": ("t.jsonl", b'{"text": "w5"}\n{"text": null}\n', "t.jsonl, line 2: field 'text' is None"),
    "no column": ("t.parquet", None, "t.parquet has no column 'text', but content"),
    "ids": ("t.npz", b"PK\x03\x04\xff", "t.npz is not a UTF-8 text file"),
    "folder": ("t.d", None, "t.d is a folder; give one text file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_text_is_refused_to_evaluate_and_to_calibrate_on(name, place, capsys):
    file, data, message = REFUSED[name]
    if file == "t.d":
        (place / file).mkdir()
    elif data is None:
        pd.DataFrame({"content": ["w5"]}).to_parquet(place / file)
    else:
        (place / file).write_bytes(data)
    assert message in failure(capsys, *SHORT, file)
    assert message in failure(capsys, *PRUNE, "--method", "flap", "--calibration", file)
    assert not (place / "out").exists()
