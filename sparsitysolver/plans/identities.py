"""What a grid's models and texts are, for content keys: file contents, pinned revisions, precision (no torch)."""

import functools
import hashlib
from pathlib import Path
from typing import Any

from sparsitysolver import ROOT
from sparsitysolver.grid import Grid
from sparsitysolver.records import content_key, file_sha256
from sparsitysolver.registry import BUNDLED, datasets_table, is_zero_shot, models_table, tasks_table

MINI = "mini"
_WHOLE_FILE = 64 << 20  # larger weight files are identified by size, head and tail when jobs are planned
_EDGE = 1 << 20


class Identities:
    """Models and texts of a grid."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def precision(self, model: str) -> list[Any]:
        """What decides rounding: threads, dtype and whether the model runs on a GPU."""
        return [self.grid.threads, self.grid.dtype, gpus(model) > 0]

    @functools.cache  # noqa: B019 - one grid per process
    def model(self, model: str) -> str:
        """Folder contents of a local model, id and commit of a hub model."""
        folder = self.model_folder(model)
        if folder is None:
            row = models_table()[model]
            return f"{row.hub_id}@{row.revision}"
        digest = hashlib.sha256()
        for path in sorted(path for ending in ("safetensors", "bin", "json") for path in folder.glob(f"*.{ending}")):
            digest.update(f"{path.name} {_quick_hash(path)}\n".encode())
        return digest.hexdigest()

    def model_folder(self, model: str) -> Path | None:
        """The folder a model is read from, None for the hub."""
        if self.grid.name == "tiny":
            return BUNDLED / model
        if self.grid.assets.folder is not None:
            return self.grid.assets.existing(f"models/{model}", f"model {model}")
        return None

    def model_argument(self, model: str) -> str:
        """MODEL as the command line takes it."""
        if self.grid.name == "local":
            return str(self.model_folder(model))
        return model

    @functools.cache  # noqa: B019 - one grid per process
    def text(self, source: str) -> str:
        """Identity of a text or of a task's items: file contents, generator, or pinned revision."""
        task = tasks_table().get(source)
        dataset = task.dataset if task else source
        if dataset == MINI:
            generator = sorted((ROOT / "sparsitysolver" / "data").glob("minilang*.py"))
            return content_key([file_sha256(path) for path in generator])
        if self.grid.assets.folder is None:
            return datasets_table()[dataset].revision
        if is_zero_shot(source):
            main = self.grid.assets.existing(f"tasks/{source}.jsonl", f"the items of task {source}")
            files = [main, *main.parent.glob(f"{source}.train.jsonl")]
        else:
            files = sorted(self.grid.assets.existing(source, f"text {source}").iterdir())
        return content_key([[path.name, _quick_hash(path)] for path in files])


def gpus(model: str) -> int:
    """GPUs of one job for a model; 0 for the bundled ones."""
    return models_table()[model].gpus if model in models_table() else 1


@functools.cache
def _quick_hash(path: Path) -> str:
    """Hash of a file, or of size, head and tail of a large one."""
    size = path.stat().st_size
    if size <= _WHOLE_FILE:
        return file_sha256(path)
    with path.open("rb") as handle:
        head = handle.read(_EDGE)
        handle.seek(-_EDGE, 2)
        tail = handle.read()
    return hashlib.sha256(head + tail + str(size).encode()).hexdigest()
