"""Texts by name: assets folder, any file, and the hub's code path on local data."""

import gzip
import json

import pandas as pd
import pytest

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import datasets_table
from sparsitysolver.data import sources
from sparsitysolver.data.sources import is_file_source, load_text
from sparsitysolver.errors import SparsitySolverError

NO_ASSETS = Assets(None)


@pytest.fixture
def assets(tmp_path):
    (tmp_path / "wikitext2").mkdir()
    (tmp_path / "c4").mkdir()
    for name in ("train", "valid", "test"):
        (tmp_path / "wikitext2" / f"{name}.txt").write_text(f" = {name} = \n\n words \n", encoding="utf-8")
    lines = [json.dumps({"text": text, "url": "x"}, ensure_ascii=False) for text in ("one\ntwo", "a b\x85c", "é")]
    (tmp_path / "c4" / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Assets(tmp_path)


@pytest.mark.parametrize(("split", "file"), [("train", "train"), ("validation", "valid"), ("test", "test")])
def test_wikitext_from_assets_is_one_document_as_it_is(assets, split, file):
    text = load_text("wikitext2", split, assets)
    assert text.joined == f" = {file} = \n\n words \n"
    assert load_text(str(assets.folder / "wikitext2" / f"{file}.txt"), "test", NO_ASSETS).sha256 == text.sha256
    assert (text.source, text.split, len(text.documents)) == ("wikitext2", split, 1)


@pytest.mark.parametrize("missing", ["wikitext2/valid.txt", "c4"])
def test_a_missing_asset_is_named_with_its_path(assets, missing):
    path = assets.folder / missing
    path.unlink() if path.is_file() else [file.unlink() for file in path.iterdir()] and path.rmdir()
    source, split = ("c4", "train") if missing == "c4" else ("wikitext2", "validation")
    with pytest.raises(SparsitySolverError, match=f"was looked for at {path} and is not there.*assets download"):
        load_text(source, split, assets)


def test_a_c4_folder_without_documents(assets):
    (assets.folder / "c4" / "train.jsonl").unlink()
    with pytest.raises(SparsitySolverError, match=r"no file with documents \(\*\.jsonl, .*c4"):
        load_text("c4", "train", assets)


def test_c4_files_of_any_kind_are_read_in_the_order_of_their_names(assets):
    """Hidden files and descriptions of the data set are no documents."""
    folder = assets.folder / "c4"
    with gzip.open(folder / "a.json.gz", "wt") as handle:
        handle.write('{"text": "first"}\n')
    pd.DataFrame({"text": ["last", "of all"]}).to_parquet(folder / "z.parquet")
    for name in ("dataset_info.json", "._train.jsonl", "README.md"):
        (folder / name).write_text('{"features": {}}')
    (folder / "old.jsonl").mkdir()
    text = load_text("c4", "train", assets)
    assert text.documents == ("first", "one\ntwo", "a b\x85c", "é", "last", "of all")
    assert text.separate and not load_text("wikitext2", "train", assets).separate


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", r"no JSON object \(Expecting value"),
        ('{"text": "cut sho', r"no JSON object \(Unterminated string"),
        ('{"txt": "x"}', "no JSON object with a field 'text' but {'txt': 'x'}"),
        ("[1]", r"no JSON object with a field 'text' but \[1\]"),
        ('{"text": null}', "field 'text' is None; allowed: a text"),
        ('{"text": ["a", "b"]}', r"field 'text' is \['a', 'b'\]; allowed: a text"),
        ('{"text": NaN}', "field 'text' is nan; allowed: a text"),
        ('{"text": "\\ud800"}', r"field 'text' is '\\ud800'; allowed: a text of whole characters"),
        ('{"text": "\\u0000\\u0000"}', "field 'text' holds nothing but NUL characters"),
    ],
)
def test_a_broken_c4_line_is_numbered(assets, line, message):
    path = assets.folder / "c4" / "train.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(SparsitySolverError, match=f"{path}, line 2: {message}") as error:
        load_text("c4", "train", assets)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "split", "message"),
    [
        ("none.txt", "test", "no text file at none.txt"),
        ("/", "test", "/ is a folder; give one text file"),
        ("wikitxt2", "test", "unknown task or text source 'wikitxt2'; did you mean wikitext2"),
        ("wikitext2", "dev", "unknown split 'dev'.*Allowed: test, train, validation"),
        ("c4", "test", "c4 is a calibration source: only its train split is used, not 'test'"),
    ],
)
def test_unknown_names(assets, source, split, message):
    with pytest.raises(SparsitySolverError, match=message):
        load_text(source, split, assets)


def test_what_counts_as_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_file_source("notes")
    (tmp_path / "notes").write_text("x")
    assert all(map(is_file_source, ("notes", "a/b", "a.txt", "a.npy", "a.jsonl", "a.json.gz", "a.parquet")))
    (tmp_path / "wikitext2").write_text("x")
    assert not is_file_source("wikitext2")


# --- the hub -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["wikitext2", "c4"])
def test_an_unreachable_hub_is_one_clear_error(source):
    row = datasets_table()[source]
    with pytest.raises(SparsitySolverError) as error:
        load_text(source, "train", NO_ASSETS)
    message = str(error.value)
    for part in (source, row.hub_id, row.revision[:12], "from the hub or its cache", "--assets DIR"):
        assert part in message
    assert "\n" not in message


def pretend(monkeypatch, source, **changes):
    """The registry row of a source changed."""
    row = datasets_table()[source].model_copy(update=changes)
    monkeypatch.setattr(sources, "datasets_table", lambda: {source: row})


def test_wikitext_from_the_hub_keeps_empty_rows(tmp_path, monkeypatch):
    rows = ["", " = Title = \n", "", " words \n"]
    for split in ("train", "validation", "test"):
        pd.DataFrame({"text": rows}).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    pretend(monkeypatch, "wikitext2", hub_id=str(tmp_path), config="")
    text = load_text("wikitext2", "validation", NO_ASSETS)
    assert text.documents == tuple(rows)
    assert text.joined == "\n\n = Title = \n\n\n\n\n words \n"
    assert (text.split, text.revision) == ("validation", datasets_table()["wikitext2"].revision)


def test_c4_from_the_hub_reads_the_named_file_only(tmp_path, monkeypatch):
    (tmp_path / "en").mkdir()
    for number, texts in enumerate((["one", "two"], ["three"])):
        with gzip.open(tmp_path / "en" / f"c4-train.0000{number}-of-01024.json.gz", "wt") as handle:
            handle.writelines(json.dumps({"text": text, "url": "x"}) + "\n" for text in texts)
    pretend(monkeypatch, "c4", hub_id=str(tmp_path))
    assert load_text("c4", "train", NO_ASSETS).documents == ("one", "two")
