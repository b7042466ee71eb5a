"""Text files as they come: plain text, or documents (JSON lines, Parquet), each also compressed; nothing else.

What a file is follows from its name, whether it is compressed from its first bytes. Line ends are read as ``\\n``
whatever the file has, and a byte-order mark is left out, so that a copy made on another system is the same text.
"""

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sparsitysolver.errors import SparsitySolverError

PARQUET = ".parquet"
DOCUMENTS = (".jsonl", ".json", ".ndjson", PARQUET)  # endings of files that hold a document a line, or a row
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
FIELD = "text"  # the field, or column, that holds a document
READ = (
    f"Read are UTF-8 text (any other ending) and documents in a field '{FIELD}' ({', '.join(DOCUMENTS)}), each also "
    f"compressed ({', '.join(COMPRESSED)})."
)
_TABLES = (".csv", ".tsv")


def _zstd(data: bytes) -> bytes:
    import pyarrow

    return pyarrow.input_stream(pyarrow.BufferReader(data), compression="zstd").read()


# By the bytes that such files begin with.
_UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
    b"\x28\xb5\x2f\xfd": _zstd,
}


def ending(path: Path) -> str:
    """The ending that says what a file is, in lower case; that of its content where it is compressed."""
    endings = [suffix.lower() for suffix in path.suffixes]
    if endings and endings[-1] in COMPRESSED:
        endings.pop()
    return endings[-1] if endings else ""


def holds_documents(path: Path) -> bool:
    """Whether a file holds documents, by its name."""
    return ending(path) in DOCUMENTS


def read_text(path: Path) -> str:
    """A plain text whole; refuses tables, JSON lines by another name, empty files, NUL characters and other codes."""
    if ending(path) in _TABLES:
        raise SparsitySolverError(f"{path} is a table, not a text. {READ}")
    text = _decoded(path)
    line = text.lstrip().partition("\n")[0]
    try:
        is_document = line.startswith("{") and FIELD in json.loads(line)
    except ValueError:
        is_document = False
    if is_document:
        raise SparsitySolverError(
            f"{path} holds JSON lines with a field '{FIELD}', not plain text: give it a name that ends in .jsonl, and "
            "its documents are read."
        )
    return text


def read_documents(path: Path) -> tuple[str, ...]:
    """The documents of a file of JSON lines or Parquet, in order, empty ones too; errors name the line or row."""
    documents = []
    for place, row in _parquet_rows(path) if ending(path) == PARQUET else read_lines(path):
        if not isinstance(row, dict) or FIELD not in row:
            raise SparsitySolverError(f"{place}: no JSON object with a field '{FIELD}' but {shown(row)}.")
        value = row[FIELD]
        try:
            documents.append(text_value(value))
        except ValueError as error:
            raise SparsitySolverError(f"{place}: field '{FIELD}' is {shown(value)}; allowed: {error}.") from error
        if "\0" in value and not value.strip("\0 \t\r\n"):
            raise SparsitySolverError(f"{place}: field '{FIELD}' holds nothing but NUL characters; a text is needed.")
    if not any(document.strip() for document in documents):
        raise SparsitySolverError(f"text file {path} is empty.")
    return tuple(documents)


def read_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """The values of a file of JSON lines, each with the file and line it stands in; blank lines are passed over."""
    for number, line in enumerate(_decoded(path).split("\n"), start=1):
        if line.strip():
            place = f"{path}, line {number}"
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SparsitySolverError(f"{place}: no JSON object ({error}).") from error
            yield place, value


def text_value(value: Any) -> str:
    """A text that a tokenizer takes; ValueError of anything else says what is allowed."""
    if not isinstance(value, str):
        raise ValueError("a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text of whole characters, no half of a surrogate pair") from error
    return value


def shown(value: Any, length: int = 60) -> str:
    """A value as messages quote it."""
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}…"


def _decoded(path: Path) -> str:
    data = _unpacked(path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SparsitySolverError(f"{path} is not a UTF-8 text file: it begins as UTF-16 does. Save it as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SparsitySolverError(f"{path} is not a UTF-8 text file: {error}. {READ}") from error
    if "\0" in text:
        raise SparsitySolverError(
            f"{path} is no text: it holds {text.count(chr(0))} NUL characters, the first at character "
            f"{text.index(chr(0))}. Copy it again, or save it as UTF-8."
        )
    if not text.strip():
        raise SparsitySolverError(f"text file {path} is empty.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unpacked(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SparsitySolverError(f"cannot read {path}: {error.strerror}.") from error
    unpack = next((unpack for magic, unpack in _UNPACK.items() if data.startswith(magic)), bytes)
    try:
        return unpack(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise SparsitySolverError(f"compressed file {path} is not whole: {error}.") from error


def _parquet_rows(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(_unpacked(path)))
        names = file.schema_arrow.names
        rows = file.read([FIELD]).column(FIELD).to_pylist() if FIELD in names else None
    except (pyarrow.ArrowException, OSError) as error:
        raise SparsitySolverError(f"{path} is not a whole Parquet file: {str(error).splitlines()[0]}.") from error
    if rows is None:
        raise SparsitySolverError(f"{path} has no column '{FIELD}', but {', '.join(names) or 'none'}.")
    yield from ((f"{path}, row {number}", {FIELD: value}) for number, value in enumerate(rows, start=1))
