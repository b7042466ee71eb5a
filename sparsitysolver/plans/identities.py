"""What a grid's models and texts are, for content keys: file contents, pinned revisions, precision (no torch).

Contents decide, and names of files within a model or text; where a folder lies, and how its path is spelled, do not.
"""

import functools
from pathlib import Path
from typing import Any

from sparsitysolver import ROOT
from sparsitysolver.config.assets import BUNDLED
from sparsitysolver.config.bos import FIRST
from sparsitysolver.config.registry import datasets_table, is_zero_shot, models_table, tasks_table
from sparsitysolver.data import items, sources
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.file_hashes import cached_sha256
from sparsitysolver.model_files import chat_model_sha256, configuration, folder_sha256
from sparsitysolver.plans.grid import Grid
from sparsitysolver.plans.machine import CPU, GPU, Machine
from sparsitysolver.records.files import content_key

MINI = "mini"


class Identities:
    """Models and texts of a grid."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.machine = Machine(grid, self.model_folder, self.configuration)

    def precision(self, model: str) -> list[Any]:
        """What decides rounding, as resolved for the machine that runs the job: device, dtype and threads.

        The dtype is what the model is loaded in; a hub model's own, which its revision decides, goes by that name.
        """
        device, dtype = GPU if self.machine.gpus(model) else CPU, self.grid.dtype
        if dtype == "auto":
            config = self.configuration(model)
            if device == CPU:
                dtype = "float32"
            elif config is None:
                dtype = "the checkpoint's own"
            else:
                dtype = str(config.get("dtype") or config.get("torch_dtype") or "float16")
        return [device, dtype, self.machine.threads(model)]

    @functools.cache  # noqa: B019 - one grid per process
    def model(self, model: str) -> str:
        """Folder contents of a local model, id and commit of a hub model; and its BOS rule, if that is no usual one."""
        folder, own, bos = self.model_folder(model), self.grid.own.get(model), self.grid.bos(model)
        ruled = "" if bos == FIRST else f" bos={bos}"
        if own is not None and own.hub is not None:
            return f"{own.hub}{ruled}"
        if folder is None:
            row = models_table()[model]
            return f"{row.hub_id}@{row.revision}{ruled}"
        return f"{folder_sha256(folder)}{ruled}"

    def model_folder(self, model: str) -> Path | None:
        """The folder a model is read from, None for the hub."""
        if model in self.grid.own:
            return self.grid.own[model].folder
        if self.grid.name == "tiny":
            return BUNDLED / model
        if self.grid.assets.folder is not None:
            return self.grid.assets.existing(f"models/{model}", f"model {model}")
        return None

    def model_argument(self, model: str) -> str:
        """MODEL as the command line takes it: by name where that says all, so that no path stands in a rule."""
        return self.grid.own[model].argument if model in self.grid.own else model

    @functools.cache  # noqa: B019
    def configuration(self, model: str) -> dict[str, Any] | None:
        """``config.json`` of a model; None for one of the registry that lies on the hub, which planning never reads."""
        if model in self.grid.own:
            return self.grid.own[model].config
        folder = self.model_folder(model)
        return None if folder is None else configuration(folder)

    def chat(self) -> dict[str, str]:
        """Who answers Self-Pruner's prompts: contents of a recorded conversation or of a model's folder, else names.

        An endpoint is known by its model's name and its public address; what it answers may still change.
        """
        chat, held = self.grid.chat, self.grid.assets.folder
        if "replay" in chat:
            if not Path(chat["replay"]).is_file():
                raise SparsitySolverError(
                    f"replay={chat['replay']}: no recorded conversation there; x.chat.jsonl of a search is one."
                )
            return {"replay": cached_sha256(Path(chat["replay"]))}
        if "chat_url" in chat or "chat_model" not in chat:
            return dict(chat)
        name = chat["chat_model"]
        folders = [Path(name), *([held / "models" / name] if held else [])]
        return {"model": next((chat_model_sha256(folder) for folder in folders if folder.is_dir()), name)}

    @functools.cache  # noqa: B019 - one grid per process
    def text(self, source: str) -> str:
        """Identity of a text, or of a task: its items, and what is asked of them and how it is scored."""
        task, asked = tasks_table().get(source), []
        if task:
            asked = [task.kind, task.dataset, task.harness_task, task.metric]
            stock = tasks_table().get(task.harness_task)  # the row that its items are checked by
            asked += [stock.stock, stock.fields] if stock else []
        return content_key([self._contents(source, task.dataset if task else source), asked])

    def _contents(self, source: str, dataset: str) -> Any:
        """What is in a data set: file contents, the generator's source, or a pinned revision."""
        if dataset == MINI:
            generator = (ROOT / "sparsitysolver" / "data" / "minilang").iterdir()
            return [cached_sha256(path) for path in sorted(generator) if path.suffix in (".py", ".yaml")]
        if self.grid.assets.folder is None:
            return datasets_table()[dataset].model_dump(exclude={"note"})
        read = items if is_zero_shot(source) else sources
        return [[path.name, cached_sha256(path)] for path in read.asset_files(source, self.grid.assets)]
