"""Models of the hub by id and commit: what a revision means now, the small files of a model, and why one cannot be had.

Nothing here imports torch, and nothing is asked of the network for a model whose commit is given and cached.
"""

import functools
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from sparsitysolver.errors import SparsitySolverError

COMMITS_VARIABLE = "SPARSITYSOLVER_HUB_COMMITS"
MAIN = "main"
_ID = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
_REVISION = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ELSE = (
    "Without network give a local folder, or an assets folder with models/<key>/ by --assets DIR or "
    "SPARSITYSOLVER_ASSETS (fill one with: sparsitysolver assets download)."
)
_resolved: dict[str, str] = {}  # commits by ``owner/name@revision``: each is asked for once


class HubModel(NamedTuple):
    """A model of the hub at a revision: a branch, a tag, or a commit."""

    hub_id: str
    revision: str = MAIN

    def __str__(self) -> str:
        return f"{self.hub_id}@{self.revision}"


def hub_model(text: str) -> HubModel | None:
    """``owner/name`` or ``owner/name@revision``; None for what is neither."""
    hub_id, at, revision = text.partition("@")
    if not _ID.fullmatch(hub_id) or (at and not _REVISION.fullmatch(revision)):
        return None
    return HubModel(hub_id, revision or MAIN)


def pinned(model: HubModel) -> HubModel:
    """The model at the commit that its revision stands for now, asked for once and from then on the same.

    Raises:
        SparsitySolverError: no such model or revision, no access to it, or neither network nor a copy in the cache.
    """
    if _COMMIT.fullmatch(model.revision):
        return model
    given = json.loads(os.environ.get(COMMITS_VARIABLE) or "{}")
    if str(model) not in _resolved:
        _resolved[str(model)] = given.get(str(model)) or config_file(model).parent.name
    return model._replace(revision=_resolved[str(model)])


def to_environment() -> None:
    """Let all commands that this process starts take the commits that were found here, Snakemake's own among them."""
    if _resolved:
        os.environ[COMMITS_VARIABLE] = json.dumps(_resolved)


@functools.cache
def config_file(model: HubModel) -> Path:
    """``config.json`` of a model, in the hub's cache: its folder there is named by the commit.

    Raises:
        SparsitySolverError: see :func:`pinned`; a repository without this file, such as an adapter's.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # what it warns of is told as an error, once
    try:
        try:
            return Path(hf_hub_download(model.hub_id, "config.json", revision=model.revision))
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError):
                raise
            raise SparsitySolverError(_without_config(model)) from error
    except SparsitySolverError:
        raise
    except Exception as error:  # the hub's client raises a family of its own, the network others
        raise SparsitySolverError(why_not(model, error)) from error


def file_names(model: HubModel) -> list[str]:
    """Names of the files that a model has on the hub; in its cache, where the hub cannot be asked."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # the first is its HTTP library's own

    try:
        return HfApi().list_repo_files(model.hub_id, revision=model.revision)
    except (HTTPError, OfflineModeIsEnabled):  # then jobs will find what lies in the cache
        snapshot = config_file(model).parent
        return sorted(str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file())


def _without_config(model: HubModel) -> str:
    """Why a repository that the hub has is no model: it holds an adapter, GGUF files, or something else."""
    from huggingface_hub import HfApi

    names = HfApi().list_repo_files(model.hub_id, revision=model.revision)
    start = f"model {model} of the hub cannot be read: "
    if "adapter_config.json" in names:
        base = _base_of(model)
        return (
            f"{start}it holds an adapter of {base}, not a model: merge it into its base (PEFT: merge_and_unload(), "
            "then save_pretrained()) and give that folder."
        )
    if any(name.lower().endswith(".gguf") for name in names):
        return f"{start}it holds GGUF files, which are not read: give the checkpoint that they were made from."
    return f"{start}config.json is missing (found: {', '.join(names[:6]) or 'no files'}{' …' * (len(names) > 6)})."


def _base_of(adapter: HubModel) -> str:
    """The model that an adapter of the hub changes, as it names it."""
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(adapter.hub_id, "adapter_config.json", revision=adapter.revision)
    return json.loads(Path(path).read_text(encoding="utf-8")).get("base_model_name_or_path") or "a base not named"


def why_not(model: HubModel, error: BaseException) -> str:
    """Why a model cannot be had from the hub, and what to do: one sentence or two for every kind of failure.

    ``error`` is what the hub's client raised, or what was raised from it.
    """
    from huggingface_hub import errors

    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]

    def is_one(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in chain)

    status = next((one.response.status_code for one in chain if getattr(one, "response", None) is not None), None)
    named = f"model {model.hub_id}" + ("" if model.revision == MAIN else f" (revision {model.revision})")
    if is_one(errors.GatedRepoError) or status == 403:
        return (
            f"{named} is gated on the hub (status {status or 403}): accept its licence at "
            f"https://huggingface.co/{model.hub_id} and log in with 'hf auth login', or give the folder of a copy."
        )
    if is_one(errors.RevisionNotFoundError):
        return f"model {model.hub_id} of the hub has no revision '{model.revision}': give a branch, a tag or a commit."
    if status == 401:
        return (
            f"there is no {named} on the hub, or it is private (status 401): check the spelling of owner/name, or log "
            "in with 'hf auth login'."
        )
    if is_one(errors.RepositoryNotFoundError) or status == 404:
        return f"there is no {named} on the hub (status 404): check the spelling of owner/name."
    if is_one(errors.DisabledRepoError):
        return f"{named} was disabled on the hub: give the folder of a copy, or another model."
    if status is not None:
        return f"the hub answers status {status} when asked for {named}: try again later, or give the folder of a copy."
    if is_one(errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        why = "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else "the hub cannot be reached"
        return f"cannot get {named} from the hub or its cache: {why}, and the cache lacks it or a file of it. {_ELSE}"
    said = str(chain[0]).strip().split("\n")[0][:200].rstrip(".") or type(chain[0]).__name__
    return f"cannot get {named} from the hub or its cache: {said}. {_ELSE}"
