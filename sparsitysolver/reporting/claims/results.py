"""The collected results that claims are judged on: each file whole and checked, or None where it does not exist."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import method, models_table
from sparsitysolver.config.settings import check_models, load_grid
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CURVES, INFERENCE, RECONSTRUCTION, STRATEGIES
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.collected.long_tables import read_long
from sparsitysolver.reporting.collected.samples import Samples, read_samples, samples_path

EVALUATED = "wikitext2"  # the paper's text of perplexity, and of all that is tuned on it
FILES = {"curves": CURVES, "strategies": STRATEGIES, "inference": INFERENCE, "reconstruction": RECONSTRUCTION}


@dataclass(frozen=True)
class Results:
    """The results of a grid. A file that does not exist is None."""

    grid: str
    models: tuple[str, ...]  # of the grid and of its results
    families: Mapping[str, str] = field(default_factory=dict)  # by model, where known
    texts: Mapping[str, str] = field(default_factory=dict)  # what the grid has in place of another text, by that one
    cells: pd.DataFrame | None = None
    samples: Samples = field(default_factory=dict)
    curves: pd.DataFrame | None = None
    strategies: pd.DataFrame | None = None
    inference: pd.DataFrame | None = None
    reconstruction: pd.DataFrame | None = None

    def stand_in(self, name: str) -> str:
        """Why a method is not on this grid what it is called; empty where it is.

        A row that is told from others by the text it reconstructs on says nothing where the grid has another text in
        its place. The text that perplexity is measured on is the grid's own everywhere.
        """
        source = method(name).reconstruction
        if source == EVALUATED or source not in self.texts:
            return ""
        return f"{name}: on grid {self.grid} text '{self.texts[source]}' stands for '{source}'"

    def of_models(self, models: Sequence[str]) -> "Results":
        """These models alone."""
        frames = {name: getattr(self, name) for name in ("cells", *FILES)}
        kept = {name: f[f["model"].isin(models)] for name, f in frames.items() if f is not None}
        return replace(self, models=tuple(model for model in self.models if model in models), **kept)


def read_results(folder: Path, grid: str) -> Results:
    """Read what there is of ``cells.csv`` (with its samples), ``curves.csv``, ``strategies.csv`` and the others.

    Raises:
        SparsitySolverError: no such grid, models that it lacks, or a broken file: a column is missing, a number is not
            finite, or the cells of a column have different fingerprints; the message names the cell or row.
    """
    settings, paths = load_grid(grid), {name: folder / f"{name}.csv" for name in ("cells", *FILES)}
    found = {name: read_long(paths[name], table) for name, table in FILES.items() if paths[name].is_file()}
    if paths["cells"].is_file():
        found["cells"] = read_cells_csv(paths["cells"])
    models = list(dict.fromkeys(model for frame in found.values() for model in frame["model"]))
    check_models(grid, models, folder)
    families = {key: row.family for key, row in models_table().items()}
    for frame in found.values():
        if "family" in frame:
            families |= dict(zip(frame["model"], frame["family"], strict=True))
    path = samples_path(paths["cells"])
    samples = read_samples(path) if path.is_file() else {}
    for key, sample in samples.items():
        if not np.isfinite(sample).all():
            raise SparsitySolverError(f"{path}: the samples of cell {key} are not all finite; evaluate it again.")
    models = tuple(dict.fromkeys([*settings.all_models, *models]))
    return Results(grid, models, families, settings.texts, samples=samples, **found)


def of_sparsity(frame: pd.DataFrame, sparsity: float | None) -> pd.DataFrame:
    """The rows at a target sparsity; all where none is asked for."""
    if sparsity is None:
        return frame
    return frame[[math.isclose(value, sparsity, abs_tol=1e-9) for value in frame["sparsity"]]]
