"""Writing a folder for the hub: weights, code, tokenizer, card and record, whole or not at all."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from sparsitysolver.hub.card import model_card
from sparsitysolver.model_files import PRUNING_RECORD
from sparsitysolver.models.saving import save_hub
from sparsitysolver.models.structure import Structure
from sparsitysolver.records.files import Json, atomic_folder, write_json


def write_hub(
    model: PreTrainedModel, tokenizer: Any, structure: Structure | None, record: Json, folder: str | Path
) -> None:
    """Write a pruned model as plain transformers load it, with its card and its pruning record.

    ``record`` says under ``hub`` in which precision; the model's own weights are put into it. See
    :func:`sparsitysolver.hub.card.model_card` for what else it must hold.
    """
    card, dtype = model_card(record), getattr(torch, record["hub"]["dtype"])
    with atomic_folder(folder) as temporary:
        save_hub(model, tokenizer, structure, temporary, dtype, card)
        write_json(temporary / PRUNING_RECORD, record)
