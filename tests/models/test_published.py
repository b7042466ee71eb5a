"""Published models as counts: shapes and parameters from one line of the registry."""

import pytest

from sparsitysolver.config.registry import models_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.models.published import published_model

HUB_MODELS = [key for key, row in models_table().items() if row.hub_id]


@pytest.mark.parametrize("key", HUB_MODELS)
def test_what_is_left_for_embeddings_is_the_known_vocabulary(key):
    model = published_model(key)
    assert model.vocabulary == (50272 if key.startswith("opt") else 32000)


def test_prunable_weights_by_hand():
    # four d x d matrices of attention, two d x 4d of the FFN; with 8 of 32 key-value heads a quarter of k and v
    assert published_model("opt-125m").shape.prunable_weights == 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert published_model("mistral-7b").shape.prunable_weights == 32 * (2.5 * 4096**2 + 3 * 4096 * 14336)


@pytest.mark.parametrize("key", ["opt-tiny", "opt-125"])
def test_models_without_published_sizes_are_refused(key):
    with pytest.raises(SparsitySolverError, match=f"unknown published model '{key}'"):
        published_model(key)


@pytest.mark.parametrize("key", ["opt-125m", "mistral-7b"])
def test_a_count_that_does_not_fit_the_sizes_is_refused(key, monkeypatch):
    wrong = {key: models_table()[key].model_copy(update={"parameters": models_table()[key].parameters + 1})}
    monkeypatch.setattr("sparsitysolver.models.published.models_table", lambda: wrong)
    with pytest.raises(SparsitySolverError, match=f"parameters of '{key}' do not fit"):
        published_model(key)
