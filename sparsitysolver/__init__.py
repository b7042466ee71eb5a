"""Reproducible benchmark suite for LLM pruning, built around SparsitySolver (RL-based pruning)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parents[1]
CONFIG_VARIABLE = "SPARSITYSOLVER_CONFIG"  # a bundle's own configuration, for what is drawn from it
CONFIG = Path(os.environ.get(CONFIG_VARIABLE) or ROOT / "config")


def load_pruned(folder: str | Path, device: str = "auto", dtype: str = "auto") -> "PreTrainedModel":
    """Load a folder written by ``sparsitysolver prune`` as a transformers model, shrunken shapes and all.

    It is in evaluation mode, as transformers load models, and may be fine-tuned: all parameters require gradients.
    """
    from sparsitysolver.models.loading import load_model

    return load_model(str(folder), device=device, dtype=dtype).model.requires_grad_(True)
