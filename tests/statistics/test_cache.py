"""Statistics of commands run by hand are kept, and taken again only for the very same model and windows."""

import json
import shutil

import numpy as np
import pytest

from sparsitysolver.config.assets import BUNDLED
from sparsitysolver.data.sampling import Sample
from sparsitysolver.models.loading import load_model
from sparsitysolver.stages import common


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model, and a cache of the test's own."""
    monkeypatch.setenv("SPARSITYSOLVER_CACHE", str(tmp_path / "cache"))
    shutil.copytree(BUNDLED / "opt-tiny", tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def measured(folder, monkeypatch):
    """Takes statistics over two windows; gives the norms of the last FFN, and whether they were kept."""
    collect, calls = common.collect, []
    monkeypatch.setattr(common, "collect", lambda *arguments: calls.append(1) or collect(*arguments))
    windows = Sample(np.arange(32, dtype=np.int32).reshape(2, 16) + 4, {})

    def measure():
        before = len(calls)
        loaded = load_model(str(folder), device="cpu")
        found = common.statistics_of(loaded, windows, None)
        return found.of(loaded.adapter.shape.layers - 1, "ffn_output").squares.numpy(), len(calls) == before

    return measure


def configure(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_the_same_model_and_windows_are_measured_once(measured, folder):
    first, kept = measured()
    assert not kept
    configure(folder, transformers_version="0.0.0")  # who wrote the configuration changes nothing
    again, kept = measured()
    assert kept
    assert np.array_equal(first, again)


def test_another_configuration_of_the_same_weights_is_measured_anew(measured, folder):
    first, _ = measured()
    configure(folder, activation_function="gelu")
    other, kept = measured()
    assert not kept
    assert not np.allclose(first, other)
