"""``assets download``: fill an assets folder on a machine with network, for machines without."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from sparsitysolver.config.assets import Assets
from sparsitysolver.config.registry import models_table
from sparsitysolver.data.items import ALL, SEARCH, load_items
from sparsitysolver.data.sources import WIKITEXT_FILES, load_text
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.plans.grid import Grid
from sparsitysolver.records.files import Json, atomic_folder, write_text

_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.bin"]


def run(args: argparse.Namespace) -> None:
    """Fetch the grid's models, tasks, WikiText-2 and the first C4 shard into ``--to``; what is there is kept."""
    target, grid = Path(args.to), Grid({"grid": args.grid})
    for model in grid.all_models():
        row = models_table()[model]
        if row.hub_id and not (target / "models" / model).is_dir():
            _download_model(row.hub_id, row.revision, target / "models" / model)
    for split, name in WIKITEXT_FILES.items():
        path = target / "wikitext2" / name
        if not path.is_file():
            write_text(path, load_text("wikitext2", split, Assets(None)).joined)
            print(f"{path}: written")
    path = target / "c4" / "train-00000.jsonl"
    if not path.is_file():
        _write_lines(path, ({"text": document} for document in load_text("c4", "train", Assets(None)).documents))
    for task in grid.tasks:
        for part, path in ((SEARCH, f"{task}.train.jsonl"), (ALL, f"{task}.jsonl")):
            if not (target / "tasks" / path).is_file():
                _write_lines(target / "tasks" / path, load_items(task, part, Assets(None)).records)


def _write_lines(path: Path, records: Iterable[Json]) -> None:
    write_text(path, "".join(json.dumps(record) + "\n" for record in records))
    print(f"{path}: written")


def _download_model(hub_id: str, revision: str, folder: Path) -> None:
    """One model snapshot; safetensors where the repository has them, other weight files only where it has not."""
    from huggingface_hub import HfApi, snapshot_download

    try:
        files = HfApi().list_repo_files(hub_id, revision=revision)
        skip = ["*.bin"] if any(name.endswith(".safetensors") for name in files) else []
        chosen = {"allow_patterns": _PATTERNS, "ignore_patterns": skip}
        with atomic_folder(folder) as temporary:
            snapshot_download(hub_id, revision=revision, local_dir=temporary, **chosen)
    except SparsitySolverError:
        raise
    except Exception as error:  # the hub client raises a family of its own errors; all mean: not to be had
        raise SparsitySolverError(
            f"cannot download {hub_id} (revision {revision}) from the hub: {str(error).splitlines()[0][:200]} "
            "Run this command where there is network, and for gated models after 'hf auth login'."
        ) from error
    print(f"{folder}: downloaded")
