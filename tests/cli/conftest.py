"""A place to run commands in."""

import numpy as np
import pytest
from tiny import tiny_ids, tiny_text


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder with an assets folder of tiny texts."""
    folder = tmp_path / "assets" / "wikitext2"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("train", "valid", "test")):
        (folder / f"{name}.txt").write_text(tiny_text(1000, seed))
    np.save(tmp_path / "ids.npy", tiny_ids(8, 16))
    monkeypatch.setenv("SPARSITYSOLVER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
