"""Where a model is read from: a folder, an assets folder, or the hub (no torch)."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from sparsitysolver.config.assets import BUNDLED, Assets, named_asset_model
from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.hub_models import hub_model


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
    """Find a model by local folder, key of ``config/models.tsv``, hub id, or name in the assets folder, or an error.

    A hub id may have a revision, ``owner/name@revision``; ``NAME=MODEL`` is a model under another name in records.
    """
    in_assets = named_asset_model(name)
    if in_assets is not None:
        return _asset_model(in_assets, assets)
    if Path(name).is_dir():
        return ModelSource(Path(os.path.abspath(name)).name, name)  # noqa: PTH100 - as given: a link keeps its own name
    table = models_table()
    row = table.get(name) or next((row for row in table.values() if row.hub_id == name), None)
    if row is not None:
        if (BUNDLED / row.key).is_dir():
            return ModelSource(row.key, str(BUNDLED / row.key))
        return _asset_model(row.key, assets) if assets.folder else ModelSource(row.key, row.hub_id, row.revision)
    alias, named, model = name.partition("=")
    if named and alias and "/" not in alias:
        return replace(resolve_model(model, assets), name=alias)
    asked = hub_model(name)
    if asked is not None:
        return ModelSource(asked.hub_id, asked.hub_id, asked.revision)
    if "/" in name:
        raise SparsitySolverError(f"no model folder at {name}.")
    if name not in assets.models():
        raise unknown_name("model", name, {*table, *assets.models()})
    return _asset_model(name, assets)


def _asset_model(name: str, assets: Assets) -> ModelSource:
    """A model of the assets folder, under the name that its folder has there, a link or not."""
    if assets.folder is None:
        raise SparsitySolverError(
            f"model '{name}' of the assets folder asked for, and there is none: give one with --assets DIR or "
            "SPARSITYSOLVER_ASSETS."
        )
    return ModelSource(name, str(assets.existing(f"models/{name}", f"model {name}")))
