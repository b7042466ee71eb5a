"""Cell files and collected cells in a temporary folder."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sparsitysolver import CONFIG
from sparsitysolver.records.files import content_key, write_json
from sparsitysolver.reporting.audit.table import Line, audit
from sparsitysolver.reporting.claims.definition import Claim, load_claims
from sparsitysolver.reporting.collected.collect import collect


@pytest.fixture
def save(tmp_path: Path) -> Callable[[list[dict]], list[Path]]:
    """Write cells under their content keys, as the pipeline does."""

    def write(cells: list[dict]) -> list[Path]:
        paths = [tmp_path / "cells" / f"{content_key(cell)}.json" for cell in cells]
        for cell, path in zip(cells, paths, strict=True):
            write_json(path, cell)
        return paths

    return write


@pytest.fixture
def collected(save: Callable, tmp_path: Path) -> Callable[[list[dict]], Path]:
    """Cells, collected into ``results/cells.csv``."""

    def write(cells: list[dict]) -> Path:
        out = tmp_path / "results" / "cells.csv"
        collect(save(cells), out)
        return out

    return write


@pytest.fixture
def table_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a printed table: a header and rows, all text."""

    def write(*rows: list[str], name: str = "table9.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as handle:
            csv.writer(handle).writerows(rows)
        return path

    return write


@pytest.fixture(scope="session")
def paper() -> list[Line]:
    """The audit of the published tables."""
    return audit(CONFIG / "paper")


@pytest.fixture
def claims(tmp_path: Path) -> Callable[..., list[Claim]]:
    """A claims file of some entries, read."""

    def load(*entries: object, **parts: object) -> list[Claim]:
        path = tmp_path / "claims.yaml"
        path.write_text(yaml.safe_dump({"sections": {"4.1": "Language"}, "claims": list(entries)} | parts))
        return load_claims(path)

    return load
