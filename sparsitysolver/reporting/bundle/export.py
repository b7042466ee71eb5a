"""``export``: what goes into a bundle. All that tables, figures and documents are made of, and what it rests on.

Packed: collected tables and their samples, the cells, strategies, curves and measurements behind them, and the
configuration. Not packed: models, statistics, calibration windows, agents, logs.
"""

import csv
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver import CONFIG, __version__
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.provenance import commit
from sparsitysolver.records.columns import CELLS
from sparsitysolver.records.files import content_key, identity, read_json, read_record
from sparsitysolver.reporting.bundle.archive import write_bundle
from sparsitysolver.reporting.collected.checks import NAME
from sparsitysolver.reporting.collected.collect import collect, read_collected
from sparsitysolver.reporting.collected.long_tables import read_texts
from sparsitysolver.reporting.collected.samples import read_samples, samples_path
from sparsitysolver.reporting.tables.files import grid_of
from sparsitysolver.reporting.tables.settings import strategies_shown

_COLLECTED = ("*.csv", "*.samples.npz", "*.json")  # in the results folder itself
_CELLS = "cells*.csv"
_KEYS = ("cell", "key")  # columns that name records by content key
_MEASUREMENTS = ("inference", "reconstruction")  # their tables name no records
_RECORDS = (".json", ".curve.csv")  # endings of records; models and arrays have others
_RUN = {"commits": "commit", "versions": "versions", "devices": "device"}  # what the manifest says of the cells


def export_command(bundle: Path, results: Path) -> None:
    """``sparsitysolver export``: write a bundle and say what is in it.

    Raises:
        SparsitySolverError: nothing is collected, a cell behind a number is gone, a collected table is not what its
            cells say, or tables are of several grids.
    """
    collected = sorted(results.glob(_CELLS))
    if not collected:
        raise SparsitySolverError(
            f"{results} holds no collected cells ({_CELLS}), so there is nothing to export; make a table first, e.g. "
            "'make table2'."
        )
    records: dict[str, list[Path]] = {}  # by content key, the first part of their names
    for path in sorted(results.glob("*/**/*")):
        key, _, ending = path.name.partition(".")
        if f".{ending}" in _RECORDS and path.is_file():
            records.setdefault(key, []).append(path)
    cells = pd.concat([_checked(path, records) for path in collected])
    named = {key for path in results.glob("*.csv") for key in _keys(path)}
    behind = [path for key in named for path in records.get(key, [])]
    measured = [f"{kind}/**/*.json" for kind in _MEASUREMENTS if any(results.glob(f"{kind}*.csv"))]
    files = {*_files(results, (*_COLLECTED, *measured)), *behind, *_strategies(results, behind)}
    members = {f"results/{path.relative_to(results).as_posix()}": path for path in files}
    members |= {f"config/{path.relative_to(CONFIG).as_posix()}": path for path in _files(CONFIG, ("**/*",))}
    about = {
        "made_by": f"sparsitysolver {__version__}",
        "commit": commit(),
        "grid": grid_of(results),
        "redraw": "make figures RESULTS=BUNDLE.zip",
        "run": {key: sorted(set(cells[column])) for key, column in _RUN.items()},
    }
    write_bundle(bundle, members, about)
    print(f"{bundle}: {len(members)} files, {bundle.stat().st_size / 1e6:.1f} MB; redraw with RESULTS={bundle}")


def _files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return [p for pattern in patterns for p in folder.glob(pattern) if p.is_file() and not p.name.startswith(".")]


def _keys(path: Path) -> set[str]:
    """The content keys that a collected table names."""
    with path.open(newline="") as handle:
        return {row[column] for row in csv.DictReader(handle) for column in _KEYS if row.get(column)}


def _strategies(results: Path, behind: Iterable[Path]) -> list[Path]:
    """Strategies that stand in cells or in Table 7, and their curves: a cell holds the whole strategy, not its key."""
    cells = [path for path in behind if path.relative_to(results).parts[0] == "cells"]
    wanted = {content_key(strategy) for path in cells if (strategy := read_json(path, "cell").get("strategy"))}
    shown, files = strategies_shown(results), []
    for path in (results / "strategies").glob("**/*.json"):
        if path in shown or content_key(identity(read_record(path, "strategy"))) in wanted:
            files += [file for ending in _RECORDS if (file := path.with_suffix(ending)).is_file()]
    return files


def _checked(path: Path, records: Mapping[str, list[Path]]) -> pd.DataFrame:
    """The rows of a collected table, once it is shown to be what its cells say.

    Collecting again is the proof: what was edited by hand, or left over from other cells, differs.
    """
    cells, samples = read_collected(path)
    for row in cells.to_dict("records"):
        if row["cell"] not in records:
            raise SparsitySolverError(
                f"{path}: {NAME.format(**row)} (cell {row['cell']}) is not below {path.parent}, and a bundle holds the "
                "record of every number; evaluate it again, or collect without it."
            )
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / path.name
        collect([file for key in set(cells["cell"]) for file in records[key]], again)
        rows, own = (read_texts(file, CELLS).to_dict("records") for file in (path, again))
        anew = read_samples(samples_path(again))
    for row, right in zip(rows, own, strict=False):
        for column in right | row:
            if row.get(column) != right.get(column):
                raise SparsitySolverError(
                    f"{path}: {NAME.format(**row)} (cell {row['cell']}): '{column}' is '{row.get(column)}', and the "
                    f"cell says '{right.get(column)}'; collect again."
                )
    if len(rows) != len(own):
        raise SparsitySolverError(f"{path} has {len(rows)} rows, and its cells give {len(own)}; collect again.")
    for key in sorted(samples.keys() | anew.keys()):
        if key not in samples or key not in anew or not np.array_equal(samples[key], anew[key]):
            raise SparsitySolverError(f"{samples_path(path)}: '{key}' is not what its cell says; collect again.")
    return cells
