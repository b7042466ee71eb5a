"""``cells.samples.npz``: what paired comparisons need of every cell, one number per window or item."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json, atomic_path

Samples = Mapping[str, np.ndarray]
_CORRECTNESS = ("acc", "acc_norm")


def samples_path(cells_csv: Path) -> Path:
    """Where the samples of collected cells lie: beside them."""
    return cells_csv.with_suffix(".samples.npz")


def sample_key(cell: str, metric: str) -> str:
    """Name of an array, from a cell's content key and the metric."""
    return f"{cell}/{metric}"


def write_samples(cells: Mapping[str, Json], path: Path) -> None:
    """Write the samples of cells, by content key; the same bytes for the same cells.

    ``<cell>/ppl``: mean loss of each window, float64, shape (windows,). ``<cell>/acc`` and ``<cell>/acc_norm``: whether
    each item was answered correctly, 0 or 1, uint8, shape (items,). Cells without samples are left out.
    """
    arrays = {}
    for key, cell in sorted(cells.items()):
        if "windows" in cell:
            arrays[sample_key(key, PERPLEXITY_METRIC)] = np.asarray(cell["windows"], dtype=np.float64)
        for metric in _CORRECTNESS:
            if metric in cell.get("samples", {}):
                arrays[sample_key(key, metric)] = np.asarray(cell["samples"][metric], dtype=np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, **arrays)  # numpy dates the members of the archive 1980: no time in the bytes


def read_samples(path: Path) -> dict[str, np.ndarray]:
    """Read ``cells.samples.npz``.

    Raises:
        SparsitySolverError: no such file, or not an archive of arrays.
    """
    try:
        with np.load(path) as archive:
            return dict(archive)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no samples at {path}; make them with 'sparsitysolver report collect'.") from error
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise SparsitySolverError(f"{path} holds no samples of cells: {error}; collect again.") from error
