"""Text by name: WikiText-2 and C4 from the hub or an assets folder, the bundled mini language, any text file."""

import contextlib
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import DatasetRow, datasets_table
from sparsitysolver.data import minilang
from sparsitysolver.data.files import COMPRESSED, DOCUMENTS, holds_documents, read_documents, read_text
from sparsitysolver.errors import SparsitySolverError, known, unknown_name

SPLITS = ("train", "validation", "test")
PARAGRAPH = "\n\n"  # what evaluation joins the rows of WikiText-2 with (design: protocol decision 1)
WIKITEXT_FILES = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
_FILE_ENDINGS = (".txt", ".npy", *DOCUMENTS, *COMPRESSED)
NAMED = ("wikitext2", "c4", "mini")


@dataclass(frozen=True)
class Text:
    """A document collection. ``documents`` are the rows of the source; one for sources that are a single document.

    ``separate`` documents have nothing to do with one another (C4, files of documents), where rows are parts of one
    text (WikiText-2).
    """

    source: str
    split: str
    documents: tuple[str, ...]
    revision: str
    location: str
    separate: bool = False

    @functools.cached_property
    def joined(self) -> str:
        """The whole text, rows joined by a blank line as evaluation does."""
        return PARAGRAPH.join(self.documents)

    @functools.cached_property
    def sha256(self) -> str:
        """Hash of the joined text."""
        return hashlib.sha256(self.joined.encode()).hexdigest()


def is_file_source(source: str) -> bool:
    """Whether a source is given as a path and not as a name."""
    return source not in NAMED and ("/" in source or source.endswith(_FILE_ENDINGS) or Path(source).exists())


def load_text(source: str, split: str, assets: Assets) -> Text:
    """Load ``wikitext2``, ``c4`` (train only), ``mini``, or a file of text or of documents, which has no splits."""
    if is_file_source(source):
        path = Path(source)
        if not path.is_file():
            folder = f"{path} is a folder; give one text file in it."
            raise SparsitySolverError(folder if path.is_dir() else f"no text file at {path}.")
        separate = holds_documents(path)
        documents = read_documents(path) if separate else (read_text(path),)
        return Text(path.name, "file", documents, "file", str(path), separate)
    if source not in NAMED:
        raise unknown_name("task or text source", source, [*NAMED, "a path to a text file"])
    known("split", split, SPLITS)
    if source == "mini":
        return Text(source, split, (minilang.text(split),), "bundled", "sparsitysolver.data.minilang")
    c4 = source == "c4"
    if c4 and split != "train":
        raise SparsitySolverError(f"c4 is a calibration source: only its train split is used, not '{split}'.")
    if assets.folder is None:
        row = datasets_table()[source]
        documents = tuple(hub_split(row, split, source, f"{source}/")["text"])
        return Text(source, split, documents, row.revision, row.hub_id, separate=c4)
    if c4:
        documents = tuple(document for path in asset_files(source, assets) for document in read_documents(path))
        return Text(source, split, documents, "assets", str(assets.folder / source), separate=True)
    path = assets.existing(f"wikitext2/{WIKITEXT_FILES[split]}", f"WikiText-2 {split} text")
    return Text(source, split, (read_text(path),), "assets", str(path))


def asset_files(source: str, assets: Assets) -> list[Path]:
    """The files of an assets folder that a text is read from, those of all splits; others may lie beside them.

    Of C4 all files that hold documents, in the order of their names, but hidden ones and plain ``.json``, which is what
    descriptions of data sets are called.
    """
    if source == "wikitext2":
        folder = assets.existing("wikitext2", "WikiText-2")
        return [path for name in WIKITEXT_FILES.values() if (path := folder / name).is_file()]
    folder = assets.existing("c4", "the C4 sample")
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and holds_documents(path)]
    files = [path for path in files if path.suffix != ".json" and not path.name.startswith(".")]
    if not files:
        raise SparsitySolverError(f"no file with documents (*.jsonl, *.json.gz, *.parquet and their like) in {folder}.")
    return files


def hub_split(row: DatasetRow, split: str, wanted: str, asset: str) -> Any:
    """One split of a data set of the hub at its pinned revision, as ``datasets`` has it.

    ``wanted`` is what the message of a failure calls it, ``asset`` where an assets folder has it.
    """
    from datasets import load_dataset
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    files, place = {"data_files": {split: row.files}} if row.files else {}, row.hub_id
    try:
        # Without network the pinned revision in the hub's cache, if it is there: by id, ``datasets`` takes offline
        # whatever it prepared last, of any revision, and leaves the hub's cache alone.
        if constants.HF_HUB_OFFLINE and not Path(place).is_dir():
            with contextlib.suppress(LocalEntryNotFoundError):
                place = snapshot_download(place, repo_type="dataset", revision=row.revision, local_files_only=True)
        return load_dataset(place, row.config or None, split=split, revision=row.revision, **files)
    except Exception as error:  # the hub client raises a family of its own errors; all mean: not to be had
        why = (str(error) or type(error).__name__).splitlines()[0][:200].rstrip(".")
        raise SparsitySolverError(
            f"cannot get {wanted} ({row.hub_id} at {row.revision[:12]}, split {split}) from the hub or its cache: "
            f"{why}. Without network give an assets folder with {asset} by --assets DIR or SPARSITYSOLVER_ASSETS "
            "(fill one with: sparsitysolver assets download)."
        ) from error
