"""Frames of texts as files."""

from pathlib import Path

import pandas as pd

from sparsitysolver.records.files import atomic_path


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame of texts whole or not at all."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")
