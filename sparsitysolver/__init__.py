"""Reproducible benchmark suite for LLM pruning, built around SparsitySolver (RL-based pruning)."""

import importlib
import os
from pathlib import Path
from typing import Any

__all__ = ["Pruned", "evaluate", "load_pruned", "prune", "search"]

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parents[1]
CONFIG_VARIABLE = "SPARSITYSOLVER_CONFIG"  # a bundle's own configuration, for what is drawn from it
_CHECKOUT = ROOT / "config"
_INSTALLED = Path(__file__).parent / "configuration"  # the same folder, see setup.py
CONFIG = Path(os.environ.get(CONFIG_VARIABLE) or (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT))


def __getattr__(name: str) -> Any:
    """The library (``sparsitysolver.library``), which brings torch along once it is asked for."""
    if name in __all__:
        return getattr(importlib.import_module("sparsitysolver.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
