"""What a plan can say of models without torch: whether they can be pruned here at all, and how large they are."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from sparsitysolver.config.bos import EVERY
from sparsitysolver.config.own_models import OwnModel
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.hub_models import file_names
from sparsitysolver.model_files import CONFIG_FIELD, PRUNING_RECORD, configuration
from sparsitysolver.models import checkpoint_files
from sparsitysolver.models.adapter import adapter_class


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
