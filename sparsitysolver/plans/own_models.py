"""Models that a run names itself (``models=``): keys, models of the assets folder, folders, hub ids (no torch).

And what can be said of them before anything runs: whether they can be pruned here at all, and how large they are.

A model's name stands in paths, columns and records: the last part of a folder's path or a hub id, as many parts more as
tell it from the others, or the one given as ``NAME=MODEL``.
"""

import functools
import itertools
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sparsitysolver.config.assets import BUNDLED, Assets, asset_model
from sparsitysolver.config.bos import EVERY
from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.hub_models import MAIN, HubModel, config_file, file_names, hub_model, pinned
from sparsitysolver.model_files import CONFIG_FIELD, PRUNING_RECORD, configuration
from sparsitysolver.models import checkpoint_files
from sparsitysolver.models.adapter import adapter_class

_UNFIT = re.compile(r"[{}@/\\:=]|[^\S ]")  # of names: braces are wildcards, '@' stands before a column's sparsity
_PLACES = "a folder is given by its path, a model of the hub as owner/name or owner/name@revision"


@dataclass(frozen=True)
class OwnModel:
    """A model that is not read as its key says: its name, MODEL as commands take it, and where it lies."""

    name: str
    argument: str
    folder: Path | None = None
    hub: HubModel | None = None  # at its commit

    @functools.cached_property
    def config(self) -> dict:
        """Its ``config.json``; empty where it is missing or broken."""
        return configuration(self.folder if self.hub is None else config_file(self.hub).parent)


@dataclass(frozen=True)
class _Item:
    """What one item of ``models=`` stands for: a key, or a place, with the names that it may go by, shortest first."""

    asked: str
    names: Sequence[str]
    place: Path | HubModel | str  # a string: the key


def models_asked(
    asked: Sequence[str], assets: Assets, grid: str, check: bool = True
) -> tuple[list[str], dict[str, OwnModel]]:
    """Names of the models asked for, in order, and those among them that are not read as a key says.

    Without ``check`` they are the grid's own, which may be links to each other.

    Raises:
        SparsitySolverError: a model that is not there or named twice, a name that two have, models of several grids.
    """
    items = [_item(one, assets, grid) for one in asked]
    if check:
        _check(items, grid)
    names, found = _told_apart(items), {}
    for name, item in zip(names, items, strict=True):
        if isinstance(item.place, HubModel):
            found[name] = OwnModel(name, f"{name}={item.place}", hub=item.place)
        elif isinstance(item.place, Path):
            inside = assets.folder is not None and item.place == assets.folder / "models" / name
            argument = asset_model(name) if inside else f"{name}={item.place.absolute()}"
            found[name] = OwnModel(name, argument, folder=item.place)
    return names, found


def needs_other_grid(asked: Collection[str]) -> bool:
    """Whether models that a run asks for, without naming a grid, are none of the tiny grid's."""
    return any(name and not _is_bundled(name) for name in asked)


def _item(asked: str, assets: Assets, grid: str) -> _Item:
    table, held = models_table(), assets.models()
    if asked in held and (grid == "local" or asked not in table):
        return _held(asked, assets)
    if asked in table and (grid != "local" or assets.folder is None):
        if (Path(asked) / "config.json").is_file():
            raise SparsitySolverError(
                f"models={asked} is a key of config/models.tsv and a folder here: write ./{asked} for the folder, or "
                "rename it."
            )
        return _Item(asked, [asked], asked)
    place = Path(asked).expanduser()
    if place.is_dir():
        return _folder(asked, place, assets)
    if place.exists():
        raise SparsitySolverError(f"models={asked} is a file: give the folder of a model, with its config.json.")
    name, named, model = asked.partition("=")
    if named:
        return _named(asked, name, _item(model, assets, grid))
    hub = None if asked.startswith((".", "/", "~")) else hub_model(asked)
    if hub is not None:
        return _of_hub(asked, hub, assets, held)
    if "/" in asked:
        raise SparsitySolverError(f"no model folder at {asked}, and that is no hub id either; {_PLACES}.")
    allowed = held if grid == "local" and assets.folder is not None else {*table, *held}
    raise SparsitySolverError(f"{unknown_name('model', asked, allowed)} Besides these {_PLACES}.")


def _held(name: str, assets: Assets) -> _Item:
    """A model of the assets folder."""
    assert assets.folder is not None
    if set("{}") & set(name) or name.startswith("-") or name != name.strip() or not name.isprintable():
        raise SparsitySolverError(
            f"model folder {name!r} in {assets.folder / 'models'}: no braces, unprintable characters, '-' in front or "
            "blanks at the ends can stand in a name, which is part of paths and commands; rename it, or leave it out "
            "with --config models=a,b."
        )
    return _Item(name, [name], assets.folder / "models" / name)


def _folder(asked: str, place: Path, assets: Assets) -> _Item:
    place = Path(os.path.abspath(place))  # noqa: PTH100 - a link keeps its own name
    models = assets.folder / "models" if assets.folder else None
    if models is not None and place.parent == Path(os.path.abspath(models)):  # noqa: PTH100
        return replace(_held(place.name, assets), asked=asked)
    return _Item(asked, _joined(place.parts[1:]) or ["model"], place)


def _named(asked: str, name: str, item: _Item) -> _Item:
    """A model under the name that stands before it."""
    if not name or name != _fit(name) or name in models_table():
        raise SparsitySolverError(
            f"models={asked}: '{name}' cannot name a model; needed is a name that is no key of config/models.tsv, "
            "without '/', '@', ':', '=', braces, and blanks or '-' at its ends."
        )
    if isinstance(item.place, str):
        raise SparsitySolverError(f"models={asked}: '{item.asked}' is named by its key; leave '{name}=' out.")
    return _Item(asked, [name], item.place)


def _of_hub(asked: str, hub: HubModel, assets: Assets, held: Collection[str]) -> _Item:
    """A model of the hub; one of ``config/models.tsv`` at the revision there, where none is given."""
    row = next((row for row in models_table().values() if row.hub_id == hub.hub_id), None)
    if row is not None and hub.revision in (MAIN, row.revision):
        if assets.folder is None:
            return _Item(asked, [row.key], row.key)
        if row.key in held:
            return replace(_held(row.key, assets), asked=asked)
        return _Item(asked, [row.key], HubModel(row.hub_id, row.revision))
    at, names = pinned(hub), _joined(hub.hub_id.split("/"))
    names += [_fit(f"{names[-1]}-{hub.revision[:12]}")] if hub.revision != MAIN else []
    return _Item(asked, [*names, f"{names[-1]}-{at.revision[:12]}"], at)


def _joined(parts: Sequence[str]) -> list[str]:
    """The last part, the last two, and so on, fit for paths and columns."""
    return [_fit("--".join(parts[-count:])) for count in range(1, len(parts) + 1)]


def _fit(name: str) -> str:
    plain = "".join(letter if letter.isprintable() else "_" for letter in _UNFIT.sub("_", name))
    return plain.strip().lstrip("-") or "model"


def _told_apart(items: Sequence[_Item]) -> list[str]:
    """The shortest names that are all different and, but for keys and models held, no key's."""
    chosen = [0] * len(items)
    while True:
        names = [item.names[at] for item, at in zip(items, chosen, strict=True)]
        clashing = [at for at, name in enumerate(names) if names.count(name) > 1 or _is_keys(name, items[at])]
        longer = [at for at in clashing if chosen[at] + 1 < len(items[at].names)]
        if not longer:
            break
        for at in longer:
            chosen[at] += 1
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        both = " and ".join(item.asked for item, name in zip(items, names, strict=True) if name == twice[0])
        raise SparsitySolverError(f"models={both} would both be called '{twice[0]}': name one as NAME=MODEL.")
    return names


def _is_keys(name: str, item: _Item) -> bool:
    return name in models_table() and len(item.names) > 1


def _check(items: Sequence[_Item], grid: str) -> None:
    """Refuse models of the tiny grid beside others, and the same model twice."""
    tiny = [item.asked for item in items if _is_bundled(item.place)]
    others = [item.asked for item in items if not _is_bundled(item.place)]
    if others and grid == "tiny":
        raise SparsitySolverError(
            f"models={','.join(others)}: grid 'tiny' measures its own models on a made-up language; leave grid=tiny "
            "out, or give grid=local (with assets=DIR where there is no network)."
        )
    if tiny and grid != "tiny":
        raise SparsitySolverError(
            f"models={','.join(tiny)}: the miniature models speak the language of grid 'tiny' only; ask for them by "
            "themselves, with that grid."
        )
    for one, other in itertools.combinations(items, 2):
        if _identity(one) == _identity(other):
            raise SparsitySolverError(f"models= names the same model twice: {one.asked} and {other.asked}.")


def _is_bundled(place: Path | HubModel | str) -> bool:
    return isinstance(place, str) and place in models_table() and (BUNDLED / place).is_dir()


def _identity(item: _Item) -> str:
    if isinstance(item.place, Path):
        return str(item.place.resolve())
    row = models_table().get(item.place) if isinstance(item.place, str) else None
    return str(HubModel(row.hub_id, row.revision)) if row and row.hub_id else str(item.place)


def check(model: OwnModel, bos: str) -> None:
    """Refuse, before anything is run, what no job could prune: what its files and ``config.json`` tell of that.

    ``bos``: its rule; a tokenizer that says itself that it has no BOS token cannot put one before every window.
    """
    where = str(model.folder or model.hub)
    if model.folder is not None:
        checkpoint_files.check_folder(model.folder)
        pruned = (model.folder / PRUNING_RECORD).is_file()
    else:
        assert model.hub is not None
        pruned = False
    config = model.config
    if pruned or CONFIG_FIELD in config:
        raise SparsitySolverError(f"the model in {where} is pruned already: give the dense model that it came from.")
    checkpoint_files.refuse_own_code(config, "config.json", where)
    checkpoint_files.refuse_quantised(SimpleNamespace(**config), where)
    try:
        _shape(config)
    except SparsitySolverError as error:
        raise SparsitySolverError(f"the model in {where} cannot be taken: {error}") from error
    if model.hub is not None:
        checkpoint_files.check_names(file_names(model.hub), where)
    else:
        checkpoint_files.check_tokenizer(model.folder)
        checkpoint_files.check_weight_files(model.folder)
        if bos == EVERY and configuration(model.folder, "tokenizer_config.json").get("bos_token", "") is None:
            raise SparsitySolverError(
                f"bos=every asked for, and the tokenizer in {where} has no BOS token; take bos=first (what it adds "
                "itself) or bos=none."
            )


def parameters_of(config: Mapping[str, Any]) -> int:
    """All parameters of a model by its ``config.json``; norms and biases, which are few, are left out."""
    shape, hidden, rows = _shape(config), int(config.get("hidden_size") or 0), int(config.get("vocab_size") or 0)
    tables = 1 if config.get("tie_word_embeddings", True) else 2
    return (shape.prunable_weights if shape else 0) + tables * rows * hidden


def _shape(config: Mapping[str, Any]) -> Any:
    """Sizes by family, None where ``config.json`` leaves them to defaults; a family that there is none for is told."""
    stated = SimpleNamespace(**config)
    if not config.get("model_type"):
        return None  # told when the model is loaded
    family = adapter_class(stated)
    try:
        return family.shape_of(stated)
    except (AttributeError, TypeError):
        return None
