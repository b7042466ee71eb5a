"""A results folder, made once, and a copy to be changed."""

import shutil
from pathlib import Path

import pytest
from run_factory import make_results


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder, made once."""
    return make_results(tmp_path_factory.mktemp("made") / "results")


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """That folder, to be changed."""
    return shutil.copytree(made, tmp_path / "results")
