"""A place to run commands in."""

import numpy as np
import pytest
from tiny import tiny_ids, tiny_texts


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder with an assets folder of tiny texts."""
    tiny_texts(tmp_path / "assets", 1000)
    np.save(tmp_path / "ids.npy", tiny_ids(8, 16))
    monkeypatch.setenv("SPARSITYSOLVER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
