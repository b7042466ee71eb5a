"""Files of text as users have them: one text whatever the line ends, documents as documents, and nothing silently."""

import bz2
import gzip
import json
import lzma

import pandas as pd
import pyarrow.parquet
import pytest

from sparsitysolver.config.assets import Assets
from sparsitysolver.data.files import read_documents, read_text
from sparsitysolver.data.sources import load_text
from sparsitysolver.errors import SparsitySolverError

DOCUMENTS = ("one\ntwo", "", "é a\u2028b", "x\r\ny")
LINES = "".join(json.dumps({"text": text, "url": "x"}) + "\n" for text in DOCUMENTS).encode()
PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pyarrow.compress(data, "zstd", asbytes=True),
}


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def failure(read, path):
    with pytest.raises(SparsitySolverError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- plain text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"a\n b \n\nc\n", b"a\r\n b \r\n\r\nc\r\n", b"a\r b \r\rc\r", b"\xef\xbb\xbfa\n b \n\nc\n", b"a\r\n b \n\rc\r\n"],
    ids=["Unix", "Windows", "old Mac", "byte-order mark", "mixed"],
)
def test_line_ends_and_marks_of_the_system_are_no_part_of_a_text(data, tmp_path):
    assert read_text(written(tmp_path, "a.txt", data)) == "a\n b \n\nc\n"


@pytest.mark.parametrize("packed", PACK)
def test_a_compressed_text_is_the_text(packed, tmp_path):
    path = written(tmp_path, f"a.txt{packed}", PACK[packed](b"a\r\nb\n"))
    assert read_text(path) == "a\nb\n"
    assert read_text(path.rename(tmp_path / "named_otherwise")) == "a\nb\n"


def test_gzip_files_put_behind_one_another_are_read_whole(tmp_path):
    assert read_text(written(tmp_path, "a.gz", gzip.compress(b"a\n") + gzip.compress(b"b\n"))) == "a\nb\n"


NO_TEXT = {
    "zeros at the end, as after a crash": ("a.txt", b"abc" + bytes(9), "9 NUL characters, the first at character 3"),
    "NUL": ("a.txt", bytes(4000), "holds 4000 NUL characters, the first at character 0"),
    "UTF-16": ("a.txt", "abc é".encode("utf-16"), "begins as UTF-16 does. Save it as UTF-8"),
    "UTF-16 without a mark": ("a.txt", "abc".encode("utf-16-le"), "NUL characters"),
    "Latin-1": ("a.txt", "café".encode("latin-1"), "not a UTF-8 text file: 'utf-8' codec can't decode byte 0xe9"),
    "empty": ("a.txt", b"", "a.txt is empty"),
    "a mark alone": ("a.txt", b"\xef\xbb\xbf", "a.txt is empty"),
    "blank": ("a.txt", b" \r\n\t\n", "a.txt is empty"),
    "empty compressed": ("a.txt.gz", gzip.compress(b""), "a.txt.gz is empty"),
    "cut gzip": ("a.txt.gz", gzip.compress(b"abc" * 99)[:-9], "compressed file"),
    "cut bzip2": ("a.txt.bz2", bz2.compress(b"abc" * 99)[:-9], "compressed file"),
    "cut xz": ("a.txt.xz", lzma.compress(b"abc" * 99)[:-9], "compressed file"),
    "cut zstd": ("a.txt.zst", PACK[".zst"](b"abc" * 99)[:-9], "compressed file"),
    "zip": ("a.zip", b"PK\x03\x04\xff\xff", "Read are UTF-8 text"),
    "table": ("a.csv", b"id,text\n1,abc\n", "is a table, not a text. Read are"),
    "compressed table": ("a.tsv.gz", gzip.compress(b"id\ttext\n"), "is a table, not a text"),
    "JSON lines by another name": ("a.txt", LINES, "holds JSON lines with a field 'text'"),
}


@pytest.mark.parametrize("name", NO_TEXT)
def test_what_is_no_text_is_refused(name, tmp_path):
    file, data, message = NO_TEXT[name]
    found = failure(read_text, written(tmp_path, file, data))
    assert message in found and str(tmp_path / file) in found


def test_other_separators_are_part_of_a_text_and_one_that_begins_like_json_is_text(tmp_path):
    for text in ("a\u2028b\x85c\x0bd\x0ce\ufeff\n", "{a} b\n", '{"a": 1}\n', "[1]\n"):
        assert read_text(written(tmp_path, "a.txt", text.encode())) == text


# --- documents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".ndjson", ".JSONL"])
def test_json_lines_are_documents(ending, packed, tmp_path):
    path = written(tmp_path, f"a{ending}{packed}", PACK[packed](LINES))
    assert read_documents(path) == DOCUMENTS


def test_line_ends_blank_lines_and_a_mark_between_json_lines_mean_nothing(tmp_path):
    for data in (LINES.replace(b"\n", b"\r\n"), LINES.replace(b"\n", b"\r"), b"\xef\xbb\xbf\n" + LINES + b"\n \n"):
        assert read_documents(written(tmp_path, "a.jsonl", data)) == DOCUMENTS


@pytest.mark.parametrize("kind", ["string", "large_string", "category"])
def test_a_parquet_column_is_documents(kind, tmp_path):
    column = pd.Series(DOCUMENTS, dtype="category" if kind == "category" else None)
    table = pyarrow.Table.from_pandas(pd.DataFrame({"url": "x", "text": column}))
    if kind != "category":
        table = table.set_column(1, "text", pyarrow.array(DOCUMENTS, getattr(pyarrow, kind)()))
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=3)
    assert read_documents(path) == DOCUMENTS


def test_rows_of_parquet_that_are_no_text(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["a", None]}).to_parquet(path)
    assert failure(read_documents, path) == f"{path}, row 2: field 'text' is None; allowed: a text."
    pd.DataFrame({"text": [1, 2]}).to_parquet(path)
    assert f"{path}, row 1: field 'text' is 1" in failure(read_documents, path)
    pd.DataFrame({"content": ["a"], "id": [1]}).to_parquet(path)
    assert failure(read_documents, path) == f"{path} has no column 'text', but content, id."
    pd.DataFrame({"text": ["", " "]}).to_parquet(path)
    assert failure(read_documents, path) == f"text file {path} is empty."
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{path} is not a whole Parquet file" in failure(read_documents, path)
    path.write_text("plain text")
    assert f"{path} is not a whole Parquet file" in failure(read_documents, path)


def test_documents_are_joined_by_a_blank_line_as_the_rows_of_wikitext_are(tmp_path):
    """The same rows as JSON lines and as Parquet are one text: that which the hub's rows give."""
    rows = ["", " = Title = \n", "", " words \n"]
    pd.DataFrame({"text": rows}).to_parquet(tmp_path / "a.parquet")
    written(tmp_path, "a.jsonl", "".join(json.dumps({"text": row}) + "\n" for row in rows).encode())
    texts = [load_text(str(tmp_path / name), "test", Assets(None)) for name in ("a.parquet", "a.jsonl")]
    assert [text.joined for text in texts] == ["\n\n = Title = \n\n\n\n\n words \n"] * 2
    assert texts[0].sha256 == texts[1].sha256 and texts[0].separate and texts[0].documents == tuple(rows)
