"""Where a model is read from: hub id, local or pruned folder, registered key, assets folder; and reading from there."""

import hashlib
import json
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import PretrainedConfig
from transformers.utils import cached_file

from sparsitysolver import model_files
from sparsitysolver.config.assets import BUNDLED, Assets, named_asset_model
from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError, is_out_of_memory, unknown_name
from sparsitysolver.models.adapter import family_class, family_names
from sparsitysolver.models.inspection import CUT_SHORT, unreadable

# What readers of JSON, safetensors and pickles raise for half a file; some say so in their text only.
_HALF_READ = (json.JSONDecodeError, SafetensorError, EOFError, pickle.UnpicklingError)
_HALF_READ_MARKS = ("not a valid json file", "pytorchstreamreader")
_OWN_CODE = "auto_map"  # names the classes in a folder's Python files that are to take the stock ones' place
_MAY_NAME_CODE = ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class ModelSource:
    """Where a model is read from: a folder, or a hub id with a pinned revision."""

    name: str
    location: str
    revision: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether ``location`` is a folder."""
        return self.revision is None and Path(self.location).is_dir()


def resolve_model(name: str, assets: Assets) -> ModelSource:
    """Find a model by local folder, key of ``config/models.tsv``, hub id, or name in the assets folder.

    Raises a :class:`SparsitySolverError` that says where it was looked for.
    """
    in_assets = named_asset_model(name)
    if in_assets is not None:
        return _asset_model(in_assets, assets)
    if Path(name).is_dir():
        return ModelSource(Path(os.path.abspath(name)).name, name)  # noqa: PTH100 - as given: a link keeps its own name
    table = models_table()
    row = table.get(name) or next((row for row in table.values() if row.hub_id == name), None)
    if row is None:
        return _unregistered(name, assets)
    if (BUNDLED / row.key).is_dir():
        return ModelSource(row.key, str(BUNDLED / row.key))
    if assets.folder is not None:
        return _asset_model(row.key, assets)
    return ModelSource(row.key, row.hub_id, revision=row.revision)


def _asset_model(name: str, assets: Assets) -> ModelSource:
    """A model of the assets folder, under the name that its folder has there, a link or not."""
    if assets.folder is None:
        raise SparsitySolverError(
            f"model '{name}' of the assets folder asked for, and there is none: give one with --assets DIR or "
            "SPARSITYSOLVER_ASSETS."
        )
    return ModelSource(name, str(assets.existing(f"models/{name}", f"model {name}")))


def _unregistered(name: str, assets: Assets) -> ModelSource:
    """A hub id, else a name that only the assets folder has."""
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return ModelSource(name, name, revision="main")
    if "/" in name:
        raise SparsitySolverError(f"no model folder at {name}.")
    held = [path.parent.name for path in (assets.folder or Path("-")).glob("models/*/config.json")]
    if name not in held:
        raise unknown_name("model", name, {*models_table(), *held})
    return _asset_model(name, assets)


def weights_identity(source: ModelSource, config: PretrainedConfig | None = None) -> str:
    """SHA-256 that names the weights: of a folder's weight files, of a hub model's id and commit."""
    return model_files.weights_sha256(Path(source.location)) if source.is_local else _hub_identity(source, config)


def model_identity(source: ModelSource, config: PretrainedConfig | None = None) -> str:
    """SHA-256 that names what the model computes of token ids: the weights together with the configuration."""
    return model_files.model_sha256(Path(source.location)) if source.is_local else _hub_identity(source, config)


def _hub_identity(source: ModelSource, config: PretrainedConfig | None) -> str:
    commit = getattr(config, "_commit_hash", None) or source.revision
    return hashlib.sha256(f"{source.location}@{commit}".encode()).hexdigest()


def fetch(loader: Any, source: ModelSource, **options: Any) -> Any:
    """``loader.from_pretrained`` with failures turned into errors that say what was wanted and what to do."""
    try:
        _refuse_own_code(source)
        return loader.from_pretrained(
            source.location, revision=source.revision or "main", trust_remote_code=False, **options
        )
    except SparsitySolverError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _not_to_be_had(source, error) from error


def _refuse_own_code(source: ModelSource) -> None:
    """Refuse a model that is defined by code of its own, also where a stock class could read its weights.

    Nothing of that code is ever run, and nobody is asked whether to.
    """
    for name in _MAY_NAME_CODE:
        try:
            path = cached_file(source.location, name, revision=source.revision or "main")
            content = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
        except (OSError, ValueError):  # not there or broken: whoever needs the file says so
            continue
        classes = content.get(_OWN_CODE) if isinstance(content, dict) else None
        if classes:
            *titles, last = (family_class(family).title for family in family_names())
            raise SparsitySolverError(
                f"the model in {source.location} is defined by code of its own ({name}: {_OWN_CODE} names "
                f"{' '.join(json.dumps(classes).split())[:200]}), which is never run here: give a model of a stock "
                f"architecture ({', '.join(titles)} or {last}) without it."
            )


def _not_to_be_had(source: ModelSource, error: Exception) -> SparsitySolverError:
    """Why a model cannot be had, and what to do about this kind of failure."""
    why = str(error).strip().split("\n")[0][:300] or type(error).__name__
    why = why if why.endswith(".") else f"{why}."
    if isinstance(error, ImportError):
        return SparsitySolverError(
            f"cannot load the model in {source.location}: {why} Install that package, or give a folder "
            'that does without: "attn_implementation" in config.json asks for one, tokenizer.model alone for another.'
        )
    if source.is_local:
        half = isinstance(error, _HALF_READ) or any(mark in str(error).lower() for mark in _HALF_READ_MARKS)
        return unreadable(source.location, f"{why} A file is not whole; {CUT_SHORT}" if half else why)
    offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
    return SparsitySolverError(
        f"cannot get model {source.location} (revision {source.revision}) from the hub or its cache{offline}: "
        f"{why} Without network give a local folder, or an assets folder with models/<key>/ by "
        "--assets DIR or SPARSITYSOLVER_ASSETS (fill one with: sparsitysolver assets download)."
    )
