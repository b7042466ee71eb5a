"""Sending a folder that was written for the hub to the hub, once: what is there already is not sent again."""

from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.hub.card import CARD, HUB_FIELD
from sparsitysolver.model_files import PRUNING_RECORD, weight_files
from sparsitysolver.records.files import Json, read_json

MAIN = "main"
# What another pruned model that was sent there before may have left, and this one lacks: it would be read, or misread.
_STALE = ["model*.safetensors", "model.safetensors.index.json", "modeling_pruned.py"]
_LOG_IN = "log in with 'hf auth login', or set HF_TOKEN to a token that may write"


def check_folder(folder: Path) -> Json:
    """The pruning record of a folder that may be sent; an error says why another may not, and what to do."""
    again = "write it with: sparsitysolver prune … --format hub"
    if not folder.is_dir():
        raise SparsitySolverError(f"no folder at {folder}; give one that was pruned with --format hub.")
    if not (folder / PRUNING_RECORD).is_file():
        raise SparsitySolverError(f"{folder} holds no {PRUNING_RECORD}: only a pruned model is pushed; {again}.")
    record = read_json(folder / PRUNING_RECORD, "pruning record")
    if record.get("method") == "dense" or record.get("status") == "skipped":
        what = "the dense model again" if record.get("method") == "dense" else "the record of a skipped pruning"
        raise SparsitySolverError(f"{folder} holds {what}: only a pruned model is pushed.")
    if HUB_FIELD not in record:
        raise SparsitySolverError(
            f"{folder} is in a format that needs this package, or is padded to the dense model's size: {again}."
        )
    missing = [path.name for path in (*weight_files(folder), folder / CARD) if not path.is_file()]
    if missing or not weight_files(folder):
        lost = ", ".join(missing) or "weights"
        raise SparsitySolverError(f"{folder} has lost a part of what --format hub wrote ({lost}): {again}.")
    return record


def push(folder: Path, name: str, private: bool = False, revision: str | None = None) -> str:
    """Send a folder to the model ``name`` (``OWNER/NAME``) of the hub, which is made where it is not there.

    The token is that of the hub's own login or of its variable. A branch ``revision`` is made where it is not there;
    weights and code of another model there, which this one would be mixed with, are removed with it.

    Returns:
        One sentence: where it is, and whether anything had to be sent.
    """
    record = check_folder(folder)
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise SparsitySolverError(f"'{name}' is no name on the hub, OWNER/NAME: {error}") from error
    if name.count("/") != 1:
        raise SparsitySolverError(f"'{name}' is no name on the hub: OWNER/NAME is needed.")
    token = get_token()
    if token is None:
        raise SparsitySolverError(f"the hub wants to know who sends {name}: {_LOG_IN}.")
    try:
        api = HfApi(token=token)
        url = api.create_repo(name, private=private or None, exist_ok=True)
        if private and not api.model_info(name).private:
            raise SparsitySolverError(
                f"{name} exists and is public, and --private was asked for: nothing was sent. Make it private in its "
                "settings on the hub, or give another name."
            )
        branch = revision or MAIN
        if branch != MAIN:
            api.create_branch(name, branch=branch, exist_ok=True)
        before = api.model_info(name, revision=branch).sha
        commit = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            revision=branch,
            commit_message=f"{record['label']} at sparsity {record['sparsity']} of {record['model']['name']}",
            ignore_patterns=[".*", "__pycache__"],
            delete_patterns=_STALE,
        )
    except SparsitySolverError:
        raise
    except Exception as error:  # the hub's client raises several families of errors, its transport others
        raise SparsitySolverError(_refused(name, error).replace(token, "…")) from error
    done = "sent" if commit.oid != before else "is there already, nothing was sent"
    return f"{url}{f' ({branch})' if branch != MAIN else ''}: {done}, commit {commit.oid[:12]}"


def _refused(name: str, error: Exception) -> str:
    """Why nothing could be sent, and what to do, in one sentence."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return f"the hub does not know the token (401): {_LOG_IN}."
    if status == 403:
        return f"the token may not write to {name} (403): {_LOG_IN} there."
    told = (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".")
    if status is None:
        return f"cannot push to {name}: {told}; is there network?"
    return f"the hub does not take {name}: {told}.{' Push again: what arrived is not sent twice.' * (status >= 500)}"
